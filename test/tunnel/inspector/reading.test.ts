/** What is made of bodies and fields for people to read. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { prettyJson, readable } from "../../../src/tunnel/inspector/readable.js";
import { isSecret } from "../../../src/tunnel/inspector/secrets.js";
import { unpack } from "../../../src/tunnel/inspector/unpack.js";

const TEXT = Buffer.from("the quick brown fox ".repeat(50));

const PACKERS: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
	["gzip", gzipSync],
	["X-GZIP", gzipSync],
	["deflate", deflateSync],
	["deflate", deflateRawSync],
	["br", brotliCompressSync],
	["", (bytes) => bytes],
	["identity", (bytes) => bytes],
	["gzip, br", (bytes) => brotliCompressSync(gzipSync(bytes))],
];

test("what was packed is unpacked, also without its end", async () => {
	for (const [encoding, pack] of PACKERS) {
		const whole = await unpack(pack(TEXT), encoding, 10_000);
		assert.deepEqual(whole, { bytes: TEXT, cut: false, fault: undefined }, encoding);
		const packed = pack(TEXT);
		const { bytes, fault } = await unpack(packed.subarray(0, packed.length - 8), encoding, 10_000);
		assert.equal(fault, undefined, encoding);
		assert.ok(TEXT.subarray(0, bytes.length).equals(bytes), encoding);
	}
});

test("a bomb is given no more than was asked for, and is not unpacked any further", async () => {
	const zeros = Buffer.alloc(4 * 1_048_576);
	for (const [encoding, pack] of PACKERS) {
		const packed = pack(zeros);
		const { value, pushed } = await whileCounting(() => unpack(packed, encoding, 5_000));
		assert.deepEqual([value.bytes.length, value.cut], [5_000, true], encoding);
		// Piece by piece: a few may be under way.
		assert.ok(pushed <= 8 * 16_384, `${encoding}: ${pushed}`);
	}
});

/** How many bytes come out of streams meanwhile. */
async function whileCounting<T>(body: () => Promise<T>): Promise<{ value: T; pushed: number }> {
	const { push } = Readable.prototype;
	let pushed = 0;
	Readable.prototype.push = function (piece: Buffer | null, encoding?: BufferEncoding): boolean {
		pushed += piece?.length ?? 0;
		return push.call(this, piece, encoding);
	};
	try {
		return { value: await body(), pushed };
	} finally {
		Readable.prototype.push = push;
	}
}

test("what cannot be unpacked is told, and what came is shown", async () => {
	const bytes = Buffer.from("plain words, and no more");
	for (const encoding of ["gzip", "br", "deflate"])
		assert.match((await unpack(bytes, encoding, 100)).fault ?? "", /^it cannot be unpacked: /, encoding);
	assert.deepEqual(await unpack(bytes, "zstd", 100), {
		bytes,
		cut: false,
		fault: '"zstd" cannot be unpacked here',
	});
	assert.match((await unpack(bytes, "gzip, gzip, gzip", 100)).fault ?? "", /more than 2 times/);
	assert.deepEqual(await unpack(Buffer.alloc(0), "gzip", 100), {
		bytes: Buffer.alloc(0),
		cut: false,
		fault: undefined,
	});
});

test("no bytes and no name of a coding make it reject", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.uint8Array({ maxLength: 200 }),
			fc.oneof(fc.constantFrom("gzip", "deflate", "br", "gzip,br"), fc.string()),
			async (bytes, encoding) => {
				assert.ok((await unpack(Buffer.from(bytes), encoding, 1_000)).bytes.length <= 1_000);
			},
		),
	);
});

test("bytes are text, JSON, a form, or nothing to be read", () => {
	const cases: readonly (readonly [Buffer | string, string, boolean, string])[] = [
		["", "text/plain", false, "empty"],
		["grüße\n", "text/plain", false, "text"],
		[Buffer.from("grüße").subarray(0, 3), "text/plain", true, "text"],
		[Buffer.from("grüße").subarray(0, 3), "text/plain", false, "binary"],
		[Buffer.from("gr\xfc\xdfe", "latin1"), "text/html; charset=ISO-8859-1", false, "text"],
		[Buffer.from("gr\xfc\xdfe", "latin1"), "text/html; charset=nobody-knows", false, "binary"],
		["\u001b[1mbold\u001b[0m", "", false, "text"],
		["a\0b", "text/plain", false, "binary"],
		['{"a":1}', "application/json", false, "json"],
		['{"a":1}', "", false, "json"],
		['{"a":', "application/json", true, "text"],
		["a=1&b=%20", "application/x-www-form-urlencoded", false, "form"],
	];
	for (const [bytes, type, cut, kind] of cases)
		assert.equal(readable(Buffer.from(bytes as string), type, cut).kind, kind, `${bytes} ${type}`);
	assert.equal(
		readable(Buffer.from("a=1&b=x+y%21"), "application/x-www-form-urlencoded", false).pretty,
		"a = 1\nb = x y!",
	);
	assert.equal(
		readable(Buffer.from("gr\xfc\xdfe", "latin1"), 'text/html; charset="iso-8859-1"', false).text,
		"grüße",
	);
});

test("JSON with line breaks has the same tokens", () => {
	assert.equal(
		prettyJson('{"a":[1,{"b":[]},"x,\\"{"],"long":12345678901234567890,"a":{}}'),
		'{\n\t"a": [\n\t\t1,\n\t\t{\n\t\t\t"b": []\n\t\t},\n\t\t"x,\\"{"\n\t],\n\t"long": 12345678901234567890,\n\t"a": {}\n}',
	);
	assert.equal(prettyJson("{a:1}"), undefined);
	const long = JSON.stringify({ a: 'x\\"'.repeat(80_000) });
	assert.equal(prettyJson(long), long.replace('{"a":', '{\n\t"a": ').replace(/}$/, "\n}"));
	fc.assert(
		fc.property(fc.json(), (text) => {
			assert.deepEqual(JSON.parse(prettyJson(text) ?? ""), JSON.parse(text));
		}),
	);
});

test("deep JSON does not grow beyond measure", () => {
	const deep = `${"[".repeat(5_000)}${"]".repeat(5_000)}`;
	assert.ok((prettyJson(deep)?.length ?? 0) <= 34 * deep.length);
});

test("fields that let somebody in are secrets", () => {
	for (const name of [
		"Authorization",
		"proxy-authorization",
		"Cookie",
		"SET-COOKIE",
		"X-Api-Key",
		"X-Auth-Token",
		"X-Amz-Security-Token",
		"X-CSRF-Token",
		"apikey",
		"X-Hub-Signature-256",
	])
		assert.ok(isSecret(name), name);
	for (const name of [
		"Host",
		"Content-Type",
		"WWW-Authenticate",
		"Proxy-Authenticate",
		"Accept",
		"X-Request-Id",
		"Sec-WebSocket-Key",
		"Access-Control-Allow-Credentials",
	])
		assert.ok(!isSecret(name), name);
});
