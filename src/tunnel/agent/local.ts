/** Connections to the local service. */
import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { isLoopbackAddress } from "../../parts/hosts.js";
import type { LocalTarget, TunnelSettings } from "./settings.js";
import { Cut, firstOf, happens, ignoreErrors, newSocket, open, type Wire } from "./wire.js";

/** A service on the same machine or network that has not answered by then does not. */
const LOCAL_MS = 10_000;

/** Rejects with what is wrong, and leaves nothing open. */
export async function dialLocal(
	{ local, hostHeader }: Pick<TunnelSettings, "local" | "hostHeader">,
	signal: AbortSignal,
): Promise<Wire> {
	const raw = newSocket();
	const cut = new Cut(raw, LOCAL_MS, `${local.text} has not answered within ${LOCAL_MS / 1000} s`, signal);
	try {
		if (cut.why === undefined) raw.connect(local.where);
		await happens(raw, "connect");
		if (!local.tls) return open(raw);
		const tls = connectTls({
			socket: raw,
			ALPNProtocols: ["http/1.1"],
			rejectUnauthorized: !isOwnMachine(local),
			...identityOf(nameOf(local, hostHeader)),
		});
		ignoreErrors(tls);
		await happens(tls, "secureConnect");
		// Whoever resets it amid the last step of its handshake takes the connection from under OpenSSL, and Node ends by a signal.
		await new Promise((resolve) => setImmediate(resolve));
		return open(raw, tls);
	} catch (error) {
		raw.destroy();
		throw cut.why ?? firstOf(error);
	} finally {
		cut.release();
	}
}

/** Who listens on this machine is believed; a certificate for `localhost` is nearly never one that an authority gave. */
function isOwnMachine({ where }: LocalTarget): boolean {
	return "path" in where || isLoopback(where.host);
}

export function isLoopback(host: string): boolean {
	return host.toLowerCase() === "localhost" || isLoopbackAddress(host);
}

/** The name that a TLS server is asked for, and has to prove; an address where it has none. */
export function nameOf({ where }: LocalTarget, hostHeader: string | undefined): string {
	return hostHeader?.replace(/:\d+$/, "") ?? ("path" in where ? "localhost" : where.host);
}

function identityOf(name: string): { servername?: string; host?: string } {
	return isIP(name) === 0 ? { servername: name } : { host: name };
}
