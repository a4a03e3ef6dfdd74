/** What connections inherit from the listening socket, as the gateway sets it, so that none of them costs a call. */
import type { Server } from "node:net";
import type { Resolved } from "./options.js";

/**
 * Sets it where koffi is there; it is loaded here and nowhere else. False: Node's own `setKeepAlive` has to do for each connection,
 * without interval, probes and TCP_USER_TIMEOUT, and what waits for a client has the kernel's bounds.
 */
export async function setOnListener(
	server: Server,
	{ keepalive, unsentBytes }: Pick<Resolved, "keepalive" | "unsentBytes">,
): Promise<boolean> {
	const { whyNoSystemCalls } = await import("../kernel/koffi.js");
	if (whyNoSystemCalls() !== undefined) return false;
	const { setKeepalive, setUnsent } = await import("../kernel/sockets.js");
	// Private, and not there for a Unix socket or in a cluster's worker.
	const fd = (server as Server & { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
	const address = server.address();
	if (fd < 0 || address === null || typeof address === "string") return false;
	if (unsentBytes !== Number.POSITIVE_INFINITY) setUnsent(fd, unsentBytes);
	if (keepalive !== null)
		setKeepalive(fd, {
			idleSeconds: keepalive.idleMs / 1_000,
			intervalSeconds: keepalive.intervalMs / 1_000,
			probes: keepalive.probes,
			userTimeoutMs: keepalive.userTimeoutMs,
		});
	return true;
}
