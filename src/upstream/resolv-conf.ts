/** `/etc/resolv.conf` (resolv.conf(5)): what it says beyond the servers, which c-ares reads itself. */

export interface ResolvConf {
	/** How many servers there are. */
	readonly servers: number;
	/** Domains that a name is tried in. */
	readonly search: readonly string[];
	/** A name with so many dots is tried as it is first, and in the domains then. */
	readonly ndots: number;
	/** How long a server has to answer, and how often each is asked. */
	readonly timeoutMs: number;
	readonly attempts: number;
}

/** Each costs a question per family. glibc once took six; Kubernetes writes up to 32. */
const SEARCH_MAX = 32;
/** As glibc: what is larger is taken as this. */
const NDOTS_MAX = 15;
const TIMEOUT_MAX_SECONDS = 30;
const ATTEMPTS_MAX = 5;

/** `environment`: LOCALDOMAIN and RES_OPTIONS stand above the file. */
export function parseResolvConf(text: string, environment: NodeJS.ProcessEnv = process.env): ResolvConf {
	let servers = 0;
	let search: readonly string[] = [];
	let options: readonly string[] = [];
	for (const line of text.split("\n")) {
		// Comments have lines of their own.
		const [keyword, ...values] = line.trim().split(/\s+/);
		// The last of several holds.
		if (keyword === "nameserver") servers++;
		else if (keyword === "search") search = values;
		else if (keyword === "domain") search = values.slice(0, 1);
		else if (keyword === "options") options = [...options, ...values];
	}
	const { LOCALDOMAIN: domains, RES_OPTIONS: further } = environment;
	if (domains !== undefined) search = wordsOf(domains);
	if (further !== undefined) options = [...options, ...wordsOf(further)];
	return {
		// Without one, the server is on this machine.
		servers: Math.max(1, servers),
		search: search
			.map((domain) => domain.toLowerCase().replace(/\.$/, ""))
			.filter((domain) => domain !== "")
			.slice(0, SEARCH_MAX),
		ndots: numberOf(options, "ndots", 0, NDOTS_MAX) ?? 1,
		timeoutMs: 1_000 * (numberOf(options, "timeout", 1, TIMEOUT_MAX_SECONDS) ?? 5),
		attempts: numberOf(options, "attempts", 1, ATTEMPTS_MAX) ?? 2,
	};
}

function wordsOf(text: string): string[] {
	return text.split(/\s+/).filter((word) => word !== "");
}

/** `name:n`, the last one, within its bounds. */
function numberOf(options: readonly string[], name: string, min: number, max: number): number | undefined {
	const text = options.findLast((option) => /^[a-z]+:\d+$/.test(option) && option.startsWith(`${name}:`));
	return text === undefined ? undefined : Math.min(max, Math.max(min, Number(text.slice(name.length + 1))));
}

/** The names that are asked for, in turn, until one is there. A trailing dot says that nothing is to be added. */
export function candidates(host: string, { search, ndots }: ResolvConf): readonly string[] {
	if (host.endsWith(".")) return [host.slice(0, -1)];
	const dots = host.split(".").length - 1;
	const longer = search.map((domain) => `${host}.${domain}`);
	return dots >= ndots ? [host, ...longer] : [...longer, host];
}
