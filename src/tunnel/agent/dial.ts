/** Connections to the gateway: through a proxy where there is one, through TLS, and with the gateway made sure of. */
import { isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { LINE_ALPN } from "../../protocol/tunnel/index.js";
import { connectThrough } from "./http-proxy.js";
import type { Alive, Known } from "./known.js";
import { isLoopback } from "./local.js";
import type { AgentSettings, Trust } from "./settings.js";
import { Cut, EndedError, firstOf, happens, ignoreErrors, newSocket, open, type Wire } from "./wire.js";

/** From the first packet to the end of TLS, a proxy included. */
export const DIAL_MS = 10_000;

/**
 * Of that, until somebody answers at all. The kernel asks again after 1 s, 3 s and 7 s; where packets were lost because there was no way,
 * a new connection asks sooner once there is one.
 */
const CONNECT_MS = 3_000;

/** The defaults of a gateway. */
const ALIVE: Alive = { heartbeatMs: 15_000, deadAfterMs: 45_000 };

/** The gateway is not who it should be, or does not speak what it should. */
export class GatewayError extends Error {
	override readonly name = "GatewayError";
}

export type Road = Pick<AgentSettings, "gateway" | "trust" | "proxy">;

/** Keeps what the gateway gives a control connection for later ones. */
export function knownFrom(wire: Wire, { proxy }: Road): Known {
	const known: Known = {
		address: proxy === undefined ? wire.raw.remoteAddress : undefined,
		fingerprint: fingerprintOf(wire),
		session: undefined,
		alive: ALIVE,
	};
	keepSessions(wire.tls, known);
	return known;
}

/**
 * Makes sure of a gateway once more, which shows another certificate than when the control connection was made: it may have been renewed.
 * Rejects when it is not believed.
 */
export async function makeSureOf(known: Known, road: Road, signal: AbortSignal): Promise<void> {
	// Without the session that goes on, so that it shows its certificate.
	const wire = await dialGateway(road, LINE_ALPN, signal, { ...known, session: undefined });
	known.fingerprint = fingerprintOf(wire);
	wire.stream.destroy();
	wire.raw.destroy();
}

/** Of the certificate that the gateway has shown. */
function fingerprintOf({ tls }: Pick<Wire, "tls">): string | undefined {
	return tls?.getPeerCertificate().fingerprint256?.replaceAll(":", "");
}

/** Lines may end elsewhere than control connections, where the sessions of those are not known: so theirs are kept as well. */
function keepSessions(tls: TLSSocket | undefined, known: Known): void {
	tls?.on("session", (session) => {
		known.session = session;
	});
}

/** Connects. `alpn`: what is spoken through TLS; `undefined`: no TLS. Rejects, and leaves nothing open. */
export async function dialGateway(
	{ gateway, trust, proxy }: Road,
	alpn: string | undefined,
	signal: AbortSignal,
	known?: Known,
): Promise<Wire> {
	const raw = newSocket();
	const { host, port } = proxy ?? { ...gateway, host: known?.address ?? gateway.host };
	const place = `${host}:${port}`;
	const cut = new Cut(raw, DIAL_MS, `${place} has not answered within ${DIAL_MS / 1000} s`, signal);
	const unanswered = setTimeout(
		() => cut.now(new Error(`${place} has not answered within ${CONNECT_MS / 1000} s`)),
		CONNECT_MS,
	);
	let tls: TLSSocket | undefined;
	try {
		if (cut.why === undefined) raw.connect({ host, port });
		await happens(raw, "connect");
		clearTimeout(unanswered);
		if (proxy !== undefined) await connectThrough(raw, gateway, proxy);
		if (alpn === undefined) return open(raw, undefined, known?.alive.heartbeatMs);
		tls = secure(raw, gateway.host, alpn, trust, known?.session);
		await happens(tls, "secureConnect");
		checkGateway(tls, alpn, trust);
		if (known !== undefined) keepSessions(tls, known);
		return open(raw, tls, known?.alive.heartbeatMs);
	} catch (error) {
		const isSilent = tls !== undefined && raw.bytesRead === 0;
		tls?.destroy();
		raw.destroy();
		throw cut.why ?? explained(firstOf(error), place, isSilent && isLoopback(gateway.host));
	} finally {
		clearTimeout(unanswered);
		cut.release();
	}
}

function secure(
	raw: Socket,
	host: string,
	alpn: string,
	{ ca, fingerprint }: Trust,
	session: Buffer | undefined,
): TLSSocket {
	const tls = connectTls({
		socket: raw,
		ALPNProtocols: [alpn],
		minVersion: "TLSv1.3",
		// A fingerprint says which certificate it is, whoever has issued it.
		rejectUnauthorized: fingerprint === undefined || ca !== undefined,
		...(isIP(host) === 0 ? { servername: host } : { host }),
		...(ca === undefined ? {} : { ca }),
		...(session === undefined ? {} : { session }),
	});
	ignoreErrors(tls);
	return tls;
}

function checkGateway(tls: TLSSocket, alpn: string, { fingerprint }: Trust): void {
	// A session that goes on shows no certificate: its secret is that of a connection whose certificate was looked at.
	if (fingerprint !== undefined && !tls.isSessionReused()) {
		const shown = fingerprintOf({ tls });
		if (shown !== fingerprint)
			throw new GatewayError(
				`the gateway's certificate has another fingerprint, ${shown}: somebody is in between, or it was renewed (--fingerprint)`,
			);
	}
	if (tls.alpnProtocol !== alpn)
		throw new GatewayError("who answers there speaks TLS, but is no gateway of tunnels (its tunnels.listen)");
}

const UNTRUSTED = /^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_|CERT_|ERR_TLS_CERT_ALTNAME)/;

/** `mayBePlain`: on this machine, it has said nothing to a hello of TLS. */
function explained(error: NodeJS.ErrnoException, place: string, mayBePlain: boolean): Error {
	const { code = "", message } = error;
	if (mayBePlain && (error instanceof EndedError || code === "ECONNRESET"))
		return new GatewayError(
			`${place} answered TLS with nothing, and closed: a gateway with tunnels.insecure wants agents with --insecure`,
		);
	if (UNTRUSTED.test(code))
		return new GatewayError(
			`the gateway's certificate is not believed (${message}): name its authority with --ca FILE, or itself with --fingerprint SHA256`,
		);
	if (code === "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL" || code === "ERR_SSL_WRONG_VERSION_NUMBER")
		return new GatewayError(`who answers at ${place} is no gateway of tunnels (its tunnels.listen)`);
	return error;
}
