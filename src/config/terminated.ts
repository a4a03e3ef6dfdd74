/** Whose TLS may end at a listener: what its certificates are for, held against what a route asks of the hello. */
import { parseCertificateName, parseServerName } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";

export class TerminatedNames {
	readonly #names: ReadonlySet<string>;
	/** Something cannot be read: nothing can be said of what it stands for. */
	readonly #unknown: boolean;

	constructor({ tls }: Mapping) {
		const names = list(tls).flatMap((entry) => list(mapping(entry)["names"]));
		const parsed = names.map((name) => attempt(name, parseCertificateName));
		this.#names = new Set(parsed.filter((name) => name !== null));
		this.#unknown = parsed.includes(null) || (tls !== undefined && names.length === 0);
	}

	/** False: no client that a route with these conditions takes has its TLS terminated here. */
	mayTake({ sni }: Mapping): boolean {
		if (this.#unknown || this.#names.has("*")) return true;
		if (sni === undefined) return this.#names.size > 0;
		const wanted = attempt(sni, parseServerName);
		if (wanted === null) return true;
		if (!wanted.startsWith("*.")) return namesOver(wanted).some((name) => this.#names.has(name));
		return [...this.#names].some((name) => meet(name, wanted));
	}
}

/** Some name is covered by the certificate's (`*` for one label) and by the route's (`*` for any number of them). */
export function meet(certificate: string, wanted: string): boolean {
	if (!wanted.startsWith("*.")) return namesOver(wanted).includes(certificate);
	return certificate.endsWith(wanted.slice(1));
}

/** Names of certificates that cover an exact one: itself, and the wildcard for its first label. */
export function namesOver(exact: string): readonly string[] {
	const dot = exact.indexOf(".");
	return dot < 0 ? [exact] : [exact, `*${exact.slice(dot)}`];
}
