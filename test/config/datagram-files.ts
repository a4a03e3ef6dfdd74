/** Files with a listener on UDP, and what they are told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/config/errors.js";
import { loadConfigText } from "../../src/config/load.js";

interface Parts {
	readonly general: string;
	/** Keys of the listener, each behind a comma. */
	readonly keys: string;
	readonly routes: string;
	readonly upstreams: string;
}

const USUAL: Parts = {
	general: "# nothing general",
	keys: "",
	routes: "{ to: dns }",
	upstreams: "dns: { udp: 10.0.0.53:53 }",
};

/** A good file: line 1 is general, 3 the listener, 4 its routes, 5 the upstreams. */
export function file(parts: Partial<Parts>): string {
	const { general, keys, routes, upstreams } = { ...USUAL, ...parts };
	return [
		general,
		"listeners:",
		`  - { listen: 0.0.0.0:53/udp${keys},`,
		`      routes: [${routes}] }`,
		`upstreams: { ${upstreams} }`,
	].join("\n");
}

export const listener = (keys: string): string => file({ keys: `, ${keys}` });
export const route = (keys: string): string => file({ routes: `{ ${keys} }` });
export const upstream = (keys: string): string => file({ upstreams: `dns: { ${keys} }` });

/** One listener for connections and one for datagrams on the same port: line 1 has the upstreams, 3 the first, 4 its routes. */
export const stream = (keys: string, ofWeb = "", route = "{ to: web }"): string =>
	[
		`upstreams: { web: { addresses: 10.0.0.1:1${ofWeb} }, dns: { udp: 10.0.0.53:53 } }`,
		"listeners:",
		`  - { listen: "10.0.0.2:443"${keys},`,
		`      routes: [{ sni: x.test, to: web }, ${route}] }`,
		'  - { listen: "10.0.0.2:443/udp", routes: [{ to: dns }] }',
	].join("\n");

/** Every problem of the text, and its warnings where there is none. */
function told(text: string): readonly string[] {
	const line = (each: { line: number; column: number; message: string }): string =>
		`${each.line}:${each.column}: ${each.message}`;
	try {
		return loadConfigText(text).warnings.map(line);
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		return error.problems.map(line);
	}
}

export type Case = readonly [text: string, ...expected: (readonly [place: string, part: string])[]];

/** Each text is told these things, and no others, in this order. */
export function cases(name: string, table: readonly Case[]): void {
	test(name, () => {
		for (const [text, ...expected] of table) {
			const found = told(text);
			assert.equal(found.length, expected.length, `${text}\n---\n${found.join("\n")}`);
			for (const [index, [place, part]] of expected.entries()) {
				const own = found[index] ?? "";
				assert.ok(
					own.startsWith(`${place}: `) && own.includes(part),
					`wanted ${place}: …${part}…\nfound  ${own}`,
				);
			}
		}
	});
}
