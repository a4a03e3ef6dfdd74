import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mayDiffer, PathForm } from "../../../src/protocol/http/path.js";
import { latin1 } from "../samples.js";

const form = new PathForm();

function read(path: string): { normal: string; matched: string; isNormal: boolean } {
	const bytes = latin1(path);
	form.read(bytes, 0, bytes.length);
	const text = (from: Uint8Array, length: number) => Buffer.from(from.subarray(0, length)).toString("latin1");
	const result = {
		normal: text(form.bytes, form.length),
		matched: text(form.matched, form.matchedLength),
		isNormal: form.isNormal,
	};
	assert.equal(path.slice(form.end), path.includes("?") ? path.slice(path.indexOf("?")) : "");
	if (!mayDiffer(bytes, 0, bytes.length)) {
		const plain = path.slice(0, form.end);
		assert.deepEqual(result, { normal: plain, matched: plain, isNormal: true }, "the short look is right");
	}
	return result;
}

test("all spellings of one path have one normal form", () => {
	const spellings: [written: string, normal: string, matched?: string][] = [
		["/%61dmin/", "/admin/"],
		["/%61%64%6D%69%6e/", "/admin/"],
		["//admin/", "/admin/"],
		["///admin//", "/admin/"],
		["/./admin/", "/admin/"],
		["/x/../admin/", "/admin/"],
		["/x/%2e%2e/admin/", "/admin/"],
		["/x/.%2E/admin/", "/admin/"],
		["/../../admin/", "/admin/"],
		["/x/y/../../admin/.", "/admin/"],
		["/admin/x/..", "/admin/"],
		["/admin/x/%2e%2e/", "/admin/"],
		["/admin%2f", "/admin/"],
		["/%2Fadmin%2F", "/admin/"],
		["/\\admin\\", "/admin/"],
		["/%5cadmin%5C", "/admin/"],
		["/x\\..\\admin/", "/admin/"],
		["/x%2f..%5cadmin/", "/admin/"],
		["/.//admin/", "/admin/"],
		["/;/admin/", "/admin/"],
		["/.;a/admin/", "/admin/"],
		["/x/..;/admin/", "/admin/"],
		["/x/..;a=b/admin/", "/admin/"],
		["/x/%2e%2e;a/admin/;b", "/admin/"],
		["/admin;a=b/", "/admin;a=b/", "/admin/"],
		["/admin;/;x/", "/admin;/", "/admin/"],
		["/..", "/"],
		["/.", "/"],
		["//", "/"],
		["/a/..b/...", "/a/..b/..."],
		["/a%20b%3fc%c3%a4", "/a%20b%3Fc%C3%A4"],
		["/%40a%3ab%21c%7c/", "/%40a%3Ab%21c%7C/", "/@a:b!c|/"],
		["/a%3bb%23%25%7f/", "/a%3Bb%23%25%7F/"],
		["/%2561dmin/", "/%2561dmin/"],
		["/%zz%4", "/%zz%4"],
		["/a/?/../b", "/a/"],
		["/?/admin/", "/"],
	];
	for (const [written, normal, matched = normal] of spellings) {
		const said = read(written);
		assert.deepEqual([said.normal, said.matched], [normal, matched], written);
		// The case of digits is no difference.
		assert.equal(said.isNormal, written.split("?")[0]?.toLowerCase() === normal.toLowerCase(), written);
	}
});

test("an encoded NUL, and what may be decoded twice, is seen", () => {
	const says = (path: string) => {
		read(path);
		return [form.hasNul, form.isDoubtful, form.isMalformed];
	};
	assert.deepEqual(says("/admin%00/"), [true, false, false]);
	for (const path of ["/%2561", "/%c0%ae", "/%C1%9c", "/%e0%80%ae", "/%f0%80%80%ae"])
		assert.deepEqual(says(path), [false, true, false], path);
	for (const path of ["/%", "/%4", "/%g1", "/%u002f", "/%%32%66"])
		assert.deepEqual(says(path), [false, false, true], path);
	for (const path of [
		"/%25",
		"/100%25g",
		"/%c3%a4",
		"/%e0%a4%85",
		"/%f0%9f%98%80",
		"/%e0",
		"/%2500".slice(0, 4),
	])
		assert.deepEqual(says(path), [false, false, false], path);
});

test("a .. or a parameter that servers cut off in different places is ambiguous", () => {
	const isAmbiguous = (path: string) => {
		read(path);
		return form.isAmbiguous;
	};
	for (const path of [
		...["/admin/..;/", "/admin/..;a=b", "/admin/%2e%2e;/x"], // a name, or the segment before
		...["/admin/x%2f..%2f..%2fx", "/admin/x\\..\\..\\x", "/admin/..%2fx", "/admin%5c../x", "/admin/%5c../"],
		...["/pub%2fx/../admin/", "/a/b%5Cc/../x", "/;x%2fx/admin/"], // one segment, or two
		...["/admin//../x", "/admin//x/../../y", "/admin/;/../x", "/admin/.;/../x"], // an empty segment counts, or not
	])
		assert.ok(isAmbiguous(path), path);
	for (const path of [
		...["/a/../b", "/a/%2e%2E/b", "/a/b/../..", "/../a", "/a;x/../b"],
		...[
			"/a//b/../c",
			"//a/../b",
			"/a/.;/b/../c",
			"/@a%2fb",
			"/a%2fb/c/../d",
			"/a\\b//c",
			"/..;/a",
			"/a..;/b",
		],
	])
		assert.ok(!isAmbiguous(path), path);
});

/** A path as a server may read it that resolves `..`, and knows these names of a slash, or not. */
interface Reader {
	readonly slash: RegExp;
	readonly keepsEmpty: boolean;
	readonly cutsParameters: boolean;
}

const READERS: readonly Reader[] = [/\//, /\/|%2f/i, /[/\\]/, /[/\\]|%2f|%5c/i].flatMap((slash) =>
	[true, false].flatMap((keepsEmpty) =>
		[true, false].map((cutsParameters) => ({ slash, keepsEmpty, cutsParameters })),
	),
);

function segmentsFor({ slash, keepsEmpty, cutsParameters }: Reader, path: string): string[] {
	const kept: string[] = [];
	for (const written of path.slice(1).split(slash)) {
		const segment = (cutsParameters ? written.replace(/;.*/, "") : written).replaceAll("%2e", ".");
		if (segment === "..") kept.pop();
		else if (segment !== "." && (segment !== "" || keepsEmpty)) kept.push(segment);
	}
	return kept.filter((segment) => segment !== "");
}

test("property: whoever resolves .. finds nothing that routes do not see, or it is ambiguous", () => {
	const piece = fc.constantFrom("/", "/", "\\", "%2f", "%5C", "..", "..", "%2e", ";", ";x", "x", "admin");
	fc.assert(
		fc.property(fc.constantFrom("/", "/admin/"), fc.array(piece, { maxLength: 10 }), (start, pieces) => {
			const path = `${start}${pieces.join("")}`;
			const { matched } = read(path);
			if (form.isAmbiguous) return;
			for (const reader of READERS)
				if (segmentsFor(reader, path)[0] === "admin") assert.match(matched, /^\/admin(\/|$)/, path);
		}),
		{ numRuns: 20_000 },
	);
});

test("property: the normal form is its own, and short looks miss nothing", () => {
	const piece = fc.constantFrom(
		"/",
		"\\",
		"%2f",
		"%5C",
		".",
		"..",
		"%2e",
		";",
		"a",
		"%61",
		"%20",
		"%",
		"%25",
		"x;y",
		"?",
	);
	fc.assert(
		fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
			const first = read(`/${pieces.join("")}`);
			if (form.isMalformed) return;
			const again = read(first.normal);
			assert.deepEqual([again.normal, again.isNormal], [first.normal, true]);
			assert.equal(read(first.matched).matched, first.matched);
			assert.ok(!/\/\/|\/\.{1,2}(\/|$)|;/.test(first.matched), first.matched);
		}),
		{ numRuns: 3000 },
	);
});
