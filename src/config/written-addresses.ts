/** Addresses as they stand in the file: one or a list, each as a word or in a mapping with what holds for it. */
import type { Endpoint } from "./config.js";
import { attempt, list, mapping } from "./plain.js";
import type { Path } from "./source.js";

interface Written {
	readonly value: unknown;
	readonly path: Path;
}

/** What `addresses` or `http` holds: each entry, whatever it is. */
export function writtenEntries(value: unknown, path: Path): Written[] {
	if (!Array.isArray(value)) return [{ value, path }];
	return list(value).map((each, index) => ({ value: each, path: [...path, index] }));
}

/** The addresses of these, and where they stand: `address` or `url` of a mapping. */
export function writtenAddresses(value: unknown, path: Path): Written[] {
	return writtenEntries(value, path).map((entry) => {
		const { address, url } = mapping(entry.value);
		if (address !== undefined) return { value: address, path: [...entry.path, "address"] };
		return url === undefined ? entry : { value: url, path: [...entry.path, "url"] };
	});
}

/** Those that parse; the schema complains about others. */
export function parsedAddresses(
	value: unknown,
	path: Path,
	parse: (text: string) => Endpoint,
): { readonly endpoint: Endpoint; readonly path: Path }[] {
	return writtenAddresses(value, path).flatMap((each) => {
		const endpoint = attempt(each.value, parse);
		return endpoint === null ? [] : [{ endpoint, path: each.path }];
	});
}

/** The address of `admin`, in a mapping or alone, and where it stands. */
export function writtenAdmin(admin: unknown): { readonly value: unknown; readonly path: Path } {
	const { listen } = mapping(admin);
	return listen === undefined
		? { value: admin, path: ["admin"] }
		: { value: listen, path: ["admin", "listen"] };
}
