/** Certificates in files, and both ends of TLS connections in a test's hand, by Node's own TLS. */
import { join } from "node:path";
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { type CertificateFiles, writeCertificate } from "../../src/rig/certificate.js";
import { type Issue, type Issued, issue } from "../../src/rig/issue.js";
import { LOOPBACK, Peer, startUpstream, type Upstream } from "./peers.js";
import type { Scenario } from "./scenario.js";

/** A certificate with its key, in files of the scenario's. */
export interface Identity extends Issued, CertificateFiles {}

let files = 0;

/** Issues a certificate for a name, and writes it to files. */
export function identity(scenario: Scenario, commonName: string, options: Partial<Issue> = {}): Identity {
	const issued = issue({ commonName, ...options });
	const path = join(scenario.directory, `${++files}-${commonName.replaceAll("*", "any")}`);
	return { ...issued, ...writeCertificate(path, issued) };
}

/** As an entry of a listener's `tls`. */
export function entry({ certFile, keyFile }: Identity, names: readonly string[], more = ""): string {
	return `{ names: ${JSON.stringify(names)}, cert: "${certFile}", key: "${keyFile}"${more === "" ? "" : `, ${more}`} }`;
}

/** A client's end of a TLS connection. */
export class TlsPeer extends Peer {
	readonly tls: TLSSocket;

	constructor(socket: TLSSocket) {
		super(socket);
		this.tls = socket;
	}

	/** Common name of the certificate that the other side has shown. */
	get shown(): string {
		return String(this.tls.getPeerCertificate().subject.CN);
	}
}

/** Connects, believing whoever answers unless `ca` says otherwise; cut when the scenario ends. Rejects as the handshake does. */
export async function dialTls(
	scenario: Scenario,
	port: number,
	servername: string,
	options: ConnectionOptions = {},
): Promise<TlsPeer> {
	const socket = connect({
		...{ host: LOOPBACK, port, servername, allowHalfOpen: true },
		rejectUnauthorized: options.ca !== undefined,
		...options,
	});
	scenario.defer(() => socket.destroy());
	const peer = new TlsPeer(socket);
	await new Promise<void>((resolve, reject) => {
		socket.once("secureConnect", resolve);
		socket.once("error", reject);
		socket.once("end", () => reject(new Error("ended in the handshake")));
	});
	peer.name = `${socket.localAddress}:${socket.localPort}`;
	return peer;
}

/** What becomes of a handshake: "connected", or its error's code. */
export async function handshakeFate(
	scenario: Scenario,
	port: number,
	servername: string,
	options: ConnectionOptions = {},
): Promise<string> {
	try {
		const peer = await dialTls(scenario, port, servername, options);
		peer.socket.destroy();
		return "connected";
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		return code ?? message;
	}
}

/** An upstream that speaks TLS. */
export function startTlsUpstream(
	scenario: Scenario,
	{ cert, key }: Issued,
	serve: (peer: Peer) => void = () => {},
	options: TlsOptions = {},
): Promise<Upstream> {
	return startUpstream(scenario, serve, {}, (accept) => {
		const server = createServer(
			{ cert: cert.text, key: key.text, allowHalfOpen: true, ...options } as TlsOptions,
			accept,
		);
		server.on("tlsClientError", () => {}); // whom we refuse
		return server;
	});
}
