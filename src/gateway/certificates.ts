/**
 * The files of certificates that a config names, read and tried before any reactor gets them: what could not be used
 * is said with its file and reason, at `check`, at start and at a reload, and not by the first client.
 */
import { createHash } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { AdminCertificate } from "../admin/server.js";
import type { CertificateConfig, CertificatePair, Config, UpstreamTlsConfig } from "../config/config.js";
import { HTTP_ALPN } from "../config/defaults.js";
import { keyPlace } from "../config/load.js";
import { readFileWithin, whyUnread } from "../config/read-file.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";
import {
	expiryOf,
	inspectAuthorities,
	inspectCertificate,
	inspectClientCertificate,
} from "../kernel/openssl/certificate.js";

import { OpensslMissing } from "../kernel/openssl/library.js";
import { inspectStaple } from "../kernel/openssl/ocsp.js";
import type { ClientOptions, PemFile, ServerOptions } from "../kernel/openssl/options.js";
import { newTicketKey } from "../kernel/openssl/tickets.js";
import { Openssl } from "../kernel/openssl.js";
import { fingerprintOf } from "../parts/file-watch.js";
import { FieldEditError } from "../protocol/http/edits.js";
import { RequestRewrite } from "../protocol/http/rewrite.js";
import type { TlsEntryPlan } from "../reactor/plan/plan.js";
import { StartError } from "./errors.js";

/** What a session with an upstream is opened with, but for the name of its address. */
export interface ClientTemplate {
	readonly options: Omit<ClientOptions, "serverName">;
	/** Equal for equal options. Taken once, for names may mean new addresses every few seconds. */
	readonly identity: string;
}

/** A config's certificates with what was in their files. */
export interface Certificates {
	/** By listener. */
	readonly entries: ReadonlyMap<string, readonly TlsEntryPlan[]>;
	/** By upstream. */
	readonly clients: ReadonlyMap<string, ClientTemplate>;
	/** What the admin port shows; `null`: it is spoken to in the open, or there is none. */
	readonly admin: AdminCertificate | null;
	/** What agents of tunnels are shown; `null`: they speak in the open, or there are none. */
	readonly tunnels: AdminCertificate | null;
	/** What was read, and what it looked like then. */
	readonly files: ReadonlyMap<string, string>;
	/** When each file of certificates that is shown to somebody expires: the first of its chain (Unix time). */
	readonly expiries: readonly { readonly file: string; readonly expirySeconds: number }[];
	/** What works, but not as it should: certificates out of date, or for other names. */
	readonly warnings: readonly string[];
}

export const NO_CERTIFICATES: Certificates = {
	entries: new Map(),
	clients: new Map(),
	admin: null,
	tunnels: null,
	files: new Map(),
	expiries: [],
	warnings: [],
};

/** Files that cannot be used. `problems`: a sentence each, which begins with where the file is named, and the file. */
export class CertificateError extends StartError {
	override readonly name = "CertificateError";
	readonly problems: readonly string[];

	constructor(problems: readonly string[]) {
		super(problems.join("; "));
		this.problems = problems;
	}
}

/** The config terminates TLS, or speaks it to an upstream. */
export function usesTls(config: Config): boolean {
	return (
		config.listeners.some(({ certificates }) => certificates.length > 0) ||
		config.upstreams.some(({ tls }) => tls !== null)
	);
}

/**
 * Reads and tries all of them.
 *
 * @throws CertificateError
 */
export function loadCertificates(config: Config, now = new Date()): Certificates {
	const reader = new Reader();
	const entries = new Map<string, readonly TlsEntryPlan[]>();
	const clients = new Map<string, ClientTemplate>();
	checkSubjectHeader(config);
	// Without OpenSSL, where `check` can run as well, what Node says of them must do.
	const library = usesTls(config) && whyNoSystemCalls() === undefined ? openLibrary() : undefined;
	const unread = new Map<string, string>();
	const problems = new Map<string, string>();
	const warnings = new Map<string, string>();
	const shown: PemFile[] = [];
	/** A sentence of several is told once, with the place of the first; a file may be right in one and wrong in another. */
	const note = (told: Map<string, string>, sentences: readonly string[], scope: string): void => {
		for (const sentence of sentences)
			if (!told.has(sentence)) told.set(sentence, placed(sentence, config.places.get(scope)));
	};
	/** What keeps OpenSSL from using it is a problem; what it would use all the same is a warning. */
	const tryOut = (make: () => void, findings: readonly string[], scope: string): void => {
		note(unread, reader.problems.splice(0), scope);
		try {
			make();
			note(warnings, findings, scope);
		} catch (error) {
			note(problems, findings.length > 0 ? findings : [(error as Error).message], scope);
		}
	};
	/** One that Node's own TLS shows, which needs no library. */
	const ofNode = (
		{ certFile, keyFile }: CertificatePair,
		names: readonly string[],
		scope: string,
	): AdminCertificate => {
		const [cert, key] = [reader.pem(certFile), reader.pem(keyFile)];
		tryOut(
			() => void createSecureContext({ cert: cert.text, key: key.text }),
			inspectServer({ cert, key, names }, now),
			scope,
		);
		shown.push(cert);
		return { cert: cert.text, key: key.text };
	};
	let admin: AdminCertificate | null = null;
	let tunnels: AdminCertificate | null = null;
	try {
		for (const [index, listener] of config.listeners.entries())
			entries.set(
				listener.name,
				listener.certificates.map((entry, position) => {
					const server = serverOptions(entry, reader);
					tryOut(
						() => library?.serverContext(server).free(),
						inspectServer(server, now),
						`listeners.${index}.tls.${position}`,
					);
					return { names: entry.names, server, identity: identityOf([entry.names, server]) };
				}),
			);
		for (const { name, http, tls } of config.upstreams) {
			if (tls === null) continue;
			const options = clientOptions(tls, http !== null, reader);
			tryOut(
				() => library?.clientContext({ ...options, serverName: "localhost" }).free(),
				inspectClient(options, now),
				`upstreams.${name}`,
			);
			clients.set(name, { options, identity: identityOf(options) });
		}
		if (config.admin?.kind === "ip" && config.admin.tls !== null)
			admin = ofNode(config.admin.tls, config.adminHosts, "admin");
		if (config.tunnels?.tls != null) tunnels = ofNode(config.tunnels.tls, [], "tunnels");
	} finally {
		library?.dispose();
	}
	for (const wrong of [unread, problems]) if (wrong.size > 0) throw new CertificateError([...wrong.values()]);
	shown.push(
		...[...entries.values()].flatMap((list) => list.map(({ server }) => server.cert)),
		...[...clients.values()].flatMap(({ options }) => options.identity?.cert ?? []),
	);
	return {
		entries,
		clients,
		admin,
		tunnels,
		files: reader.files,
		expiries: expiriesOf(shown),
		warnings: [...warnings.values()],
	};
}

/** A file that serves several listeners is one. */
function expiriesOf(chains: readonly PemFile[]): Certificates["expiries"] {
	const files = new Map(chains.map((chain) => [chain.file, chain]));
	return [...files.values()].flatMap((chain) => {
		const expiryMs = expiryOf(chain);
		return expiryMs === undefined ? [] : { file: chain.file, expirySeconds: expiryMs / 1_000 };
	});
}

/** With where the configuration names the file that the sentence begins with. */
function placed(sentence: string, places: ReadonlyMap<string, string> = new Map()): string {
	for (const [file, place] of places) {
		if (!sentence.startsWith(`${file}: `)) continue;
		const isOfKey = /^: (holds no|the) private key/.test(sentence.slice(file.length));
		return `${(isOfKey ? places.get(keyPlace(file)) : undefined) ?? place}: ${sentence}`;
	}
	return sentence;
}

function openLibrary(): Openssl {
	try {
		return new Openssl(Buffer.alloc(1), [newTicketKey()]);
	} catch (error) {
		if (error instanceof OpensslMissing) throw new CertificateError([error.message]);
		throw error;
	}
}

/** Equal for equal contents. */
function identityOf(value: unknown): string {
	const text = JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? [...part] : part));
	return createHash("sha256").update(text).digest("base64");
}

/** All authorities of a system in one file are a quarter of a mebibyte. */
const FILE_MAX_BYTES = 16 * 1_048_576;

class Reader {
	readonly files = new Map<string, string>();
	readonly problems: string[] = [];

	pem(file: string): PemFile {
		return { file, text: this.bytes(file).toString("utf8") };
	}

	bytes(file: string): Buffer {
		// Before it is read: a change in between is then seen as one.
		this.files.set(file, fingerprintOf(file));
		try {
			// Looked at again and again, so a pipe, which is read once, is of no use.
			return readFileWithin(file, { maxBytes: FILE_MAX_BYTES, pipes: false });
		} catch (error) {
			this.problems.push(`${file}: ${whyUnread(error)}`);
			return Buffer.alloc(0);
		}
	}
}

function serverOptions(entry: CertificateConfig, reader: Reader): ServerOptions {
	const { names, certFile, keyFile, clientCaFile, ocspFile, alpn } = entry;
	return {
		names,
		cert: reader.pem(certFile),
		key: reader.pem(keyFile),
		alpn,
		...(clientCaFile === null ? {} : { clientCa: reader.pem(clientCaFile) }),
		...(ocspFile === null
			? {}
			: { staple: { file: ocspFile, bytes: new Uint8Array(reader.bytes(ocspFile)) } }),
	};
}

function inspectServer(
	{ names, cert, key, clientCa, staple }: Omit<ServerOptions, "alpn">,
	now: Date,
): string[] {
	if (cert.text === "" || key.text === "") return []; // told as unreadable
	return [
		// `*` says nothing about what it is for.
		...inspectCertificate(
			cert,
			key,
			names.filter((name) => name !== "*"),
			now,
		),
		...(clientCa === undefined || clientCa.text === "" ? [] : inspectAuthorities(clientCa, now)),
		...(staple === undefined || whyNoSystemCalls() !== undefined ? [] : inspectStaple(staple, cert, now)),
	];
}

function clientOptions(
	{ verify, caFile, identity }: UpstreamTlsConfig,
	takesRequests: boolean,
	reader: Reader,
): ClientTemplate["options"] {
	return {
		verify,
		alpn: takesRequests ? HTTP_ALPN : [],
		...(caFile === null ? {} : { ca: reader.pem(caFile) }),
		...(identity === null
			? {}
			: { identity: { cert: reader.pem(identity.certFile), key: reader.pem(identity.keyFile) } }),
	};
}

function inspectClient({ ca, identity }: ClientTemplate["options"], now: Date): string[] {
	const isRead = identity !== undefined && identity.cert.text !== "" && identity.key.text !== "";
	return [
		...(ca === undefined || ca.text === "" ? [] : inspectAuthorities(ca, now)),
		...(isRead ? inspectClientCertificate(identity.cert, identity.key, now) : []),
	];
}

/** Names of fields that routing or framing needs cannot carry a subject. */
function checkSubjectHeader({ tls }: Config): void {
	if (tls.clientSubjectHeader === null) return;
	try {
		new RequestRewrite().setSubjectField(tls.clientSubjectHeader);
	} catch (error) {
		if (!(error instanceof FieldEditError)) throw error;
		throw new CertificateError([`tls.client_subject_header: ${error.message}`]);
	}
}
