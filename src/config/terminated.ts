/** Whose TLS may end at a listener: what its certificates are for, held against what a route asks of the hello. */
import { parseCertificateName, parseServerName } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";

export class TerminatedNames {
	readonly #names: readonly string[];
	/** Something cannot be read: nothing can be said of what it stands for. */
	readonly #unknown: boolean;

	constructor({ tls }: Mapping) {
		const names = list(tls).flatMap((entry) => list(mapping(entry)["names"]));
		const parsed = names.map((name) => attempt(name, parseCertificateName));
		this.#names = parsed.filter((name) => name !== null);
		this.#unknown = this.#names.length < names.length || (tls !== undefined && names.length === 0);
	}

	/** False: no client that a route with these conditions takes has its TLS terminated here. */
	mayTake({ sni }: Mapping): boolean {
		if (this.#unknown || this.#names.includes("*")) return true;
		if (sni === undefined) return this.#names.length > 0;
		const wanted = attempt(sni, parseServerName);
		return wanted === null || this.#names.some((name) => meet(name, wanted));
	}
}

/** Some name is covered by the certificate's (`*` for one label) and by the route's (`*` for any number of them). */
function meet(certificate: string, wanted: string): boolean {
	if (certificate === wanted) return true;
	const suffix = certificate.startsWith("*.") ? certificate.slice(1) : null;
	if (!wanted.startsWith("*."))
		return suffix !== null && wanted.endsWith(suffix) && !wanted.slice(0, -suffix.length).includes(".");
	return certificate.endsWith(wanted.slice(1));
}
