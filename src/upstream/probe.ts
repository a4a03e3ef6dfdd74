/**
 * One health check of one address: it accepts, or it also answers a request. A fresh connection each, so that a
 * check sees what a new client would see.
 */
import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import type { HealthConfig } from "../config/config.js";
import { formatDuration } from "../config/units.js";
import { CIPHER_SUITES, CIPHERS, GROUPS, SIGNATURES } from "../kernel/openssl/offers.js";
import type { ClientOptions } from "../kernel/openssl/options.js";
import type { Verdict } from "../parts/http-check.js";
import { OneCheck } from "../parts/one-check.js";
import { resetSocket } from "../parts/reset-socket.js";
import { datagramProbe } from "./datagram-probe.js";
import type { DialledTarget } from "./resolver.js";

export interface Probed {
	readonly target: DialledTarget;
	readonly health: HealthConfig;
	/** What sessions with it are opened with: a check verifies what they do. `null`: in the open. */
	readonly tls: ClientOptions | null;
}

/** Begins a check that ends within `health.timeoutMs`. Returns how to end it sooner, without a verdict. */
export function probe(
	{ target, health, tls }: Probed,
	opened: (socket: Socket) => void,
	verdict: Verdict,
): () => void {
	if (health.datagram !== undefined && target.kind !== "unix")
		return datagramProbe(target, health.datagram, health.timeoutMs, verdict);
	const socket = connect(
		target.kind === "unix" ? { path: target.path } : { host: target.address, port: target.port },
	);
	opened(socket);
	// A check that only knocks needs no handshake.
	const stream = tls === null || health.http === null ? socket : secured(socket, tls);
	socket.unref();
	const { http, timeoutMs } = health;
	const check = new OneCheck(health, {
		program: "sluice-health",
		late: `no answer within ${formatDuration(timeoutMs)}`,
		verdict,
		close: () => {
			// A reset instead of a FIN: the upstream sees at once that nothing follows, and no TIME_WAIT piles up.
			if (stream === socket) resetSocket(socket);
			else {
				stream.destroy();
				socket.destroy();
			}
		},
	});
	if (http === null) socket.once("connect", () => check.reached(socket));
	else check.reached(stream);
	// Also after the verdict: an error that nobody hears ends the process.
	const failed = (error: Error): void => check.failed(error);
	socket.on("error", failed);
	if (stream !== socket) stream.on("error", failed);
	return () => check.stop();
}

function secured(socket: Socket, { serverName, verify, ca, identity, alpn }: ClientOptions): Socket {
	return connectTls({
		socket,
		// SNI has no addresses (RFC 6066, section 3).
		servername: isIP(serverName) === 0 ? serverName : "",
		checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
		rejectUnauthorized: verify,
		minVersion: "TLSv1.2",
		ciphers: `${CIPHER_SUITES}:${CIPHERS}`,
		ecdhCurve: GROUPS,
		sigalgs: SIGNATURES,
		// An authority in `ca` need not be a root.
		allowPartialTrustChain: true,
		ALPNProtocols: [...alpn],
		...(ca === undefined ? {} : { ca: ca.text }),
		...(identity === undefined ? {} : { cert: identity.cert.text, key: identity.key.text }),
	});
}
