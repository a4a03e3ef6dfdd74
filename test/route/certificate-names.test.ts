import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CertificateNames } from "../../src/route/certificate-names.js";
import { allAtOnce } from "../../src/route/pieces.js";

function namesOf(entries: Parameters<typeof CertificateNames.build>[0]): CertificateNames {
	return allAtOnce(CertificateNames.build(entries));
}

/** Finds names as they come in hellos: at the start of a buffer that holds more. */
function finder(...entries: readonly (readonly string[])[]): (name: string) => number {
	const names = namesOf(entries.map((names, value) => ({ names, value })));
	const buffer = new Uint8Array(512);
	return (name) => {
		buffer.fill(0x78);
		return names.find(buffer, new TextEncoder().encodeInto(name, buffer).written);
	};
}

test("an exact name comes before a wildcard, and a wildcard before whatever is left", () => {
	const find = finder(["*"], ["*.example.com"], ["www.example.com", "example.com"]);
	assert.equal(find("www.example.com"), 2);
	assert.equal(find("example.com"), 2);
	assert.equal(find("api.example.com"), 1);
	assert.equal(find("example.org"), 0);
	assert.equal(find(""), 0);
});

test("a wildcard stands for exactly one label, as in certificates", () => {
	const find = finder(["*.b.c"]);
	for (const name of ["a.b.c", "b.b.c", "x-y.b.c"]) assert.equal(find(name), 0, name);
	for (const name of ["x.a.b.c", "b.c", ".b.c", "ab.c", "c", "a.b.cc", "a.b.c.d", ""])
		assert.equal(find(name), -1, name);
});

test("for the Host of a request it stands for any number, and the nearest counts", () => {
	const names = namesOf([
		{ names: ["*.c"], value: 1 },
		{ names: ["*.b.c", "x.a.b.c"], value: 2 },
	]);
	const find = (name: string): number => {
		const bytes = new TextEncoder().encode(name);
		return names.findForHost(bytes, bytes.length);
	};
	assert.deepEqual(
		["z.c", "z.y.c", "a.b.c", "z.y.b.c", "x.a.b.c", "c", "z.d"].map(find),
		[1, 1, 2, 2, 2, -1, -1],
	);
});

test("without `*`, names that no entry has are nobody's, and so is a client that names nothing", () => {
	const find = finder(["a.b"], ["*.c"]);
	for (const name of ["", "b", "a.b.c", "x.a.b", "a.bx"]) assert.equal(find(name), -1, name);
	assert.equal(finder()("a.b"), -1);
});

test("of two entries with one name the first is shown", () => {
	const find = finder(["a.b", "*.c", "*"], ["a.b", "*.c", "*", "d"]);
	assert.equal(find("a.b"), 0);
	assert.equal(find("x.c"), 0);
	assert.equal(find("y"), 0);
	assert.equal(find("d"), 1);
});

test("whatever the entries and the name, the one that is found is the one that a list would give", () => {
	const label = fc.constantFrom("a", "b", "ab", "x-1");
	const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
	const pattern = fc.oneof(
		name,
		name.map((text) => `*.${text}`),
		fc.constant("*"),
	);
	const entry = fc.array(pattern, { minLength: 1, maxLength: 3 });
	fc.assert(
		fc.property(fc.array(entry, { maxLength: 8 }), fc.oneof(name, fc.constant("")), (entries, asked) => {
			const first = (pattern: string) => entries.findIndex((names) => names.includes(pattern));
			const parent = `*${asked.slice(asked.indexOf("."))}`;
			const wild = asked.includes(".") ? first(parent) : -1;
			const exact = asked === "" ? -1 : first(asked);
			const expected = exact >= 0 ? exact : wild >= 0 ? wild : first("*");
			assert.equal(finder(...entries)(asked), expected);
		}),
		{ numRuns: 2_000 },
	);
});
