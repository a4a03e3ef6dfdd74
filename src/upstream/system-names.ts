/**
 * The addresses of names as this system has them: /etc/hosts, then DNS, by c-ares on this thread. `getaddrinfo` would
 * wait in libuv's pool, which has four threads: names whose servers are silent would keep all others from being asked,
 * and the process from ending.
 */
import { Resolver } from "node:dns";
import { performance } from "node:perf_hooks";
import type { Address, Answer } from "./addresses.js";
import { parseHosts } from "./hosts.js";
import { candidates, parseResolvConf, type ResolvConf } from "./resolv-conf.js";
import { SystemFile } from "./system-file.js";

/** A look-up ends after so long, however many servers and domains there are. */
const DEADLINE_MS = 10_000;

/**
 * Some servers answer for IPv4 and are silent for IPv6, or the other way round. What is known is used when the other
 * question has not been answered for so long: less than start waits for names.
 */
const OTHER_FAMILY_MS = 1_000;

/** Which addresses a name has. */
export interface Lookup {
	/** Rejects when that cannot be said now, within a bounded time. */
	lookUp(host: string): Promise<Answer>;
	/** Ends what is under way, at once. */
	close(): void;
}

export interface SystemNamesOptions {
	readonly hosts?: string;
	readonly resolvConf?: string;
	/** Servers with their ports, instead of those in resolv.conf. */
	readonly servers?: readonly string[];
	readonly deadlineMs?: number;
}

/** RFC 6761, section 6.3: these are never asked for. */
const LOOPBACK: readonly Address[] = [
	{ address: "127.0.0.1", family: 4 },
	{ address: "::1", family: 6 },
];

export class SystemNames implements Lookup {
	readonly #hosts: SystemFile<ReturnType<typeof parseHosts>>;
	readonly #resolvConf: SystemFile<ResolvConf>;
	readonly #servers: readonly string[] | undefined;
	readonly #deadlineMs: number;
	/** One for all names, so that all questions go through one socket per server. Made for the file as it is. */
	#dns: { readonly conf: ResolvConf; readonly resolver: Resolver } | undefined;
	#closed = false;

	constructor({
		hosts = "/etc/hosts",
		resolvConf = "/etc/resolv.conf",
		servers,
		deadlineMs = DEADLINE_MS,
	}: SystemNamesOptions = {}) {
		this.#hosts = new SystemFile(hosts, parseHosts);
		this.#resolvConf = new SystemFile(resolvConf, parseResolvConf);
		this.#servers = servers;
		this.#deadlineMs = deadlineMs;
	}

	async lookUp(host: string): Promise<Answer> {
		const name = host.toLowerCase();
		const addresses = this.#known(name.replace(/\.$/, ""));
		return addresses === undefined ? this.#ask(name) : { addresses };
	}

	close(): void {
		this.#closed = true;
		this.#dns?.resolver.cancel();
	}

	/** What needs no question. */
	#known(name: string): readonly Address[] | undefined {
		const listed = this.#hosts.read().get(name);
		if (listed !== undefined) return listed;
		return name === "localhost" || name.endsWith(".localhost") ? LOOPBACK : undefined;
	}

	async #ask(name: string): Promise<Answer> {
		const untilMs = performance.now() + this.#deadlineMs;
		let failure = new LookupError("ETIMEOUT");
		for (const candidate of candidates(name, this.#resolvConf.read())) {
			for (;;) {
				const leftMs = untilMs - performance.now();
				if (this.#closed || leftMs <= 0) throw failure;
				try {
					return await askForBoth(this.#resolver(), candidate, leftMs);
				} catch (error) {
					if (!(error instanceof LookupError)) throw error;
					// The servers are others by now: these are asked.
					if (error.code === "ECANCELLED") continue;
					// A domain that has a broken server keeps no other from being tried. Silence would be the same for all.
					if (!error.isAnswer && !ONE_DOMAIN.has(error.code)) throw error;
					// What is broken may be mended, and a name without an address be given one: both say more than that another
					// domain has no such name.
					if (!error.isAnswer || failure.code === "ENOTFOUND" || failure.code === "ETIMEOUT") failure = error;
					break;
				}
			}
		}
		throw failure;
	}

	#resolver(): Resolver {
		const conf = this.#resolvConf.read();
		if (this.#dns === undefined || this.#dns.conf !== conf) {
			const before = this.#dns;
			const resolver = new Resolver(this.#patience(conf));
			if (this.#servers !== undefined) resolver.setServers(this.#servers);
			this.#dns = { conf, resolver };
			before?.resolver.cancel();
		}
		return this.#dns.resolver;
	}

	/**
	 * Each server is asked once within the deadline, though all before it be silent. c-ares waits twice as long each further
	 * time; it begins none whose answer would come after the deadline.
	 */
	#patience({ timeoutMs, attempts, servers }: ResolvConf): { timeout: number; tries: number } {
		const count = this.#servers?.length ?? servers;
		const timeout = Math.max(1, Math.min(timeoutMs, Math.floor(this.#deadlineMs / (count + 1))));
		let tries = 1;
		while (tries < attempts && timeout * (2 ** tries - 1) < this.#deadlineMs) tries++;
		return { timeout, tries };
	}
}

/** What a server says of one domain, while it may know the next one. */
const ONE_DOMAIN: ReadonlySet<string> = new Set([
	"ESERVFAIL",
	"EREFUSED",
	"ENOTIMP",
	"EFORMERR",
	"EBADRESP",
	"EBADNAME",
]);

/** Why a name has no addresses, in words for the log. */
class LookupError extends Error {
	override readonly name = "LookupError";
	readonly code: string;

	constructor(code: string) {
		super(REASONS.get(code) ?? `the DNS servers could not be asked (${code})`);
		this.code = code;
	}

	/** A server said so. */
	get isAnswer(): boolean {
		return this.code === "ENOTFOUND" || this.code === "ENODATA";
	}
}

const REASONS: ReadonlyMap<string, string> = new Map([
	["ENOTFOUND", "DNS has no such name, and it is not in /etc/hosts (ENOTFOUND)"],
	["ENODATA", "the name is there and has no address (ENODATA)"],
	["ETIMEOUT", "no DNS server answered in time (ETIMEOUT)"],
	["ESERVFAIL", "the DNS server failed to find out (ESERVFAIL)"],
	["EBADRESP", "the DNS server's answer cannot be read (EBADRESP)"],
	["EFORMERR", "the DNS server does not understand the question (EFORMERR)"],
	["ENOTIMP", "the DNS server does not answer questions of this kind (ENOTIMP)"],
	["EBADNAME", "this cannot be a name in DNS (EBADNAME)"],
	["EREFUSED", "the DNS server refuses to answer this question (EREFUSED)"],
	["ECONNREFUSED", "no DNS server can be reached where /etc/resolv.conf says (ECONNREFUSED)"],
]);

/** Asks for the addresses of both families, of this very name. */
function askForBoth(resolver: Resolver, name: string, withinMs: number): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const found: Address[] = [];
		const waiting = new Set<4 | 6>([4, 6]);
		/** Of those who were not answered, the reason. */
		const failed = new Map<4 | 6, string>();
		let late: NodeJS.Timeout | undefined;
		const deadline = setTimeout(() => conclude(), withinMs);
		deadline.unref();
		const conclude = (): void => {
			clearTimeout(deadline);
			clearTimeout(late);
			for (const family of waiting) failed.set(family, "ETIMEOUT");
			waiting.clear();
			const [first] = failed;
			if (found.length > 0) resolve({ addresses: found, ...(first && { unanswered: first[0] }) });
			else reject(new LookupError(first?.[1] ?? noneBecause));
		};
		let noneBecause = "ENOTFOUND";
		const answered =
			(family: 4 | 6) =>
			(error: NodeJS.ErrnoException | null, addresses: readonly string[] | undefined): void => {
				if (!waiting.delete(family)) return;
				const code = error?.code;
				if (code === "ENODATA") noneBecause = code;
				else if (code !== undefined && code !== "ENOTFOUND") failed.set(family, code);
				for (const address of addresses ?? []) found.push({ address, family });
				if (waiting.size === 0) conclude();
				else if (found.length > 0) {
					late = setTimeout(conclude, OTHER_FAMILY_MS);
					late.unref();
				}
			};
		resolver.resolve4(name, answered(4));
		resolver.resolve6(name, answered(6));
	});
}
