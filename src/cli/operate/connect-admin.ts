/** Connections to an admin port. Nothing is sent, no token above all, before the other side has shown who it is. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import { type AdminTarget, nameOf, type TargetTls } from "./admin-target.js";
import { OperateError } from "./operate-error.js";

/** Rejects with an OperateError that says what to do. */
export async function connectAdmin(target: AdminTarget, signal: AbortSignal): Promise<Socket> {
	const ca = target.kind === "ip" ? authorities(target.tls) : undefined;
	const socket = open(target, ca);
	try {
		await opened(socket, target, signal);
	} catch (error) {
		socket.destroy();
		throw error instanceof OperateError
			? error
			: new OperateError(
					`cannot ask ${nameOf(target)}: ${adviceFor(error as NodeJS.ErrnoException, target, signal)}`,
				);
	}
	return socket;
}

function authorities(tls: TargetTls | null): string | undefined {
	if (tls === null || tls.caFile === null) return undefined;
	try {
		return readFileSync(tls.caFile, "utf8");
	} catch (error) {
		throw new OperateError(`--ca ${tls.caFile}: ${(error as Error).message}`);
	}
}

function open(target: AdminTarget, ca: string | undefined): Socket {
	if (target.kind === "unix") return connect(target.path);
	const { host, port, tls } = target;
	if (tls === null) return connect(port, host);
	return connectTls({
		...{ host, port, rejectUnauthorized: false },
		// What stands in SNI is a name (RFC 6066, 3).
		...(isIP(host) === 0 ? { servername: host } : {}),
		...(ca === undefined ? {} : { ca }),
	});
}

function opened(socket: Socket, target: AdminTarget, signal: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		const tls = target.kind === "ip" ? target.tls : null;
		socket.once("error", reject);
		signal.addEventListener("abort", () => reject(signal.reason), { once: true });
		socket.once(tls === null ? "connect" : "secureConnect", () => {
			socket.off("error", reject);
			try {
				if (target.kind === "ip" && tls !== null) checkCertificate(socket as TLSSocket, target, tls);
				resolve();
			} catch (error) {
				reject(error);
			}
		});
	});
}

/** One of the authorities has issued it for this host; or it is the very one that the gateway's configuration names. */
function checkCertificate(
	socket: TLSSocket,
	target: Extract<AdminTarget, { kind: "ip" }>,
	{ caFile, certFile }: TargetTls,
): void {
	if (socket.authorized) return;
	const shown = socket.getPeerX509Certificate();
	if (certFile !== null && shown !== undefined && isIn(certFile, shown)) return;
	const code = String(socket.authorizationError);
	const name = nameOf(target);
	if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
		const why = checkServerIdentity(target.host, socket.getPeerCertificate())?.message ?? code;
		throw new OperateError(
			`cannot ask ${name}: ${why} Ask it by a name of its certificate: --admin https://NAME:PORT`,
		);
	}
	if (code === "CERT_HAS_EXPIRED")
		throw new OperateError(
			`cannot ask ${name}: its certificate has expired; renew it, and have the gateway reload`,
		);
	const own =
		certFile === null
			? ""
			: `, and is not the one in ${certFile} (changed meanwhile? The gateway reads it again when it reloads)`;
	const next =
		caFile === null
			? "name the authority that issued it, or the certificate itself, with --ca FILE"
			: `the authorities in ${caFile} have not issued it; name the one that has with --ca FILE`;
	throw new OperateError(`cannot ask ${name}: its certificate is not trusted (${code})${own}; ${next}`);
}

/** The first certificate of a file is this one. Of a file that cannot be read, nothing is believed. */
function isIn(file: string, shown: X509Certificate): boolean {
	try {
		return new X509Certificate(readFileSync(file)).fingerprint256 === shown.fingerprint256;
	} catch {
		return false;
	}
}

function adviceFor(error: NodeJS.ErrnoException, target: AdminTarget, signal: AbortSignal): string {
	const { code = "", message } = error;
	if (signal.aborted) return "no answer; is it the gateway's admin address?";
	if (target.kind === "unix") {
		if (code === "ENOENT") return "there is no such socket; does the gateway run, with this admin address?";
		if (code === "ECONNREFUSED")
			return "connection refused: nobody listens there any more; does the gateway run?";
		if (code === "EACCES")
			return `permission denied: the file's permissions say who may (ls -l ${target.path}); run this as its owner or in its group`;
		if (code === "ENOTSOCK" || code === "ENOTDIR")
			return "this is no socket; is it the gateway's admin address?";
	} else if (code === "ECONNREFUSED")
		return `connection refused (${message}); does the gateway run, with this admin address?`;
	if (code.startsWith("ERR_SSL") || code === "EPROTO")
		return "it does not speak TLS; write --admin HOST:PORT, without https://";
	return `${message}; does the gateway run, with this admin address?`;
}
