import assert from "node:assert/strict";
import { test } from "node:test";
import { causeName } from "../../../src/protocol/http/causes.js";
import {
	CHUNK_EXTENSION_LIMIT_BYTES,
	ChunkedScanner,
	TRAILERS_LIMIT_BYTES,
} from "../../../src/protocol/http/chunked.js";
import { COMPLETE, MALFORMED, NEED_MORE } from "../../../src/protocol/index.js";
import { latin1 } from "../samples.js";

/** Scans a body whole, byte by byte, and in two pieces at every place; all must say the same. */
function scan(text: string): { verdict: number; position: number; cause: string } {
	const bytes = latin1(text);
	const scanner = new ChunkedScanner();
	const verdict = scanner.scan(bytes, 0, bytes.length);
	const { dataBytes } = scanner;
	const whole = { verdict, position: scanner.position, cause: causeName(scanner.cause) };
	for (let cut = 1; cut < bytes.length; cut++) {
		const pieces = new ChunkedScanner();
		let said = pieces.scan(bytes, 0, cut);
		if (said === NEED_MORE) {
			assert.equal(pieces.position, cut);
			const later = new ChunkedScanner();
			later.load(pieces.phase, pieces.left, pieces.spent, pieces.nameHash, pieces.nameLength);
			said = later.scan(bytes, cut, bytes.length);
			assert.equal(pieces.dataBytes + later.dataBytes, dataBytes, `data, cut at ${cut}`);
			assert.deepEqual([said, later.position, causeName(later.cause)], Object.values(whole), `cut at ${cut}`);
		} else {
			assert.deepEqual(
				[said, pieces.position, causeName(pieces.cause)],
				Object.values(whole),
				`cut at ${cut}`,
			);
		}
	}
	return whole;
}

function assertTaken(body: string): void {
	for (const rest of ["", "GET / HTTP/1.1\r\n", "\r\n", "0"]) {
		const { verdict, position, cause } = scan(body + rest);
		assert.equal(verdict, COMPLETE, `${cause}: ${JSON.stringify(body)}`);
		assert.equal(position, body.length, JSON.stringify(body));
	}
	for (let length = 0; length < body.length; length++) {
		assert.equal(scan(body.slice(0, length)).verdict, NEED_MORE, `${length} of ${JSON.stringify(body)}`);
	}
}

function refusalOf(body: string): string {
	const { verdict, cause } = scan(body);
	assert.equal(verdict, MALFORMED, JSON.stringify(body));
	return cause;
}

test("a body ends behind its last chunk and its trailers", () => {
	for (const body of [
		"0\r\n\r\n",
		"5\r\nhello\r\n0\r\n\r\n",
		"5\r\n0\r\n\r\n\r\n0\r\n\r\n",
		"A\r\n0123456789\r\n00a\r\n0123456789\r\n000\r\n\r\n",
		"0\r\nX-Sum: abc\r\nY:\r\n\r\n",
		'1;a\r\nx\r\n0;b=c;d="e \\" f"\r\n\r\n',
		"0000000000000001\r\nx\r\n0\r\n\r\n",
	]) {
		assertTaken(body);
	}
});

test("a chunk is skipped by arithmetic: its bytes are not looked at", () => {
	const scanner = new ChunkedScanner();
	const size = latin1("1fffffffffffff\r\n");
	assert.equal(scanner.scan(size, 0, size.length), NEED_MORE);
	assert.equal(scanner.left, Number.MAX_SAFE_INTEGER);
	const data = new Uint8Array(65536);
	for (let i = 0; i < 1000; i++) assert.equal(scanner.scan(data, 0, data.length), NEED_MORE);
	assert.equal(scanner.left, Number.MAX_SAFE_INTEGER - 65536 * 1000);
});

test("sizes that two readers could take differently are refused", () => {
	for (const size of [
		"0x5",
		"+5",
		"-5",
		" 5",
		"5 ",
		"5_0",
		"",
		"g",
		"5\t",
		"5\0",
		"5h",
		"5.",
		"5,",
		"\r",
		"5 ;a",
		"\x0b5",
	]) {
		assert.equal(refusalOf(`${size}\r\nhello\r\n0\r\n\r\n`), "chunk_size", JSON.stringify(size));
	}
	for (const size of ["20000000000000", "ffffffffffffffff", "10000000000000005", "00000000000000005"]) {
		assert.equal(refusalOf(`${size}\r\nhello\r\n0\r\n\r\n`), "chunk_size_too_large", size);
	}
});

test("lines end in CR LF, and data ends where its size says", () => {
	assert.equal(refusalOf("5\nhello\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("5\rhello\r\n0\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf("5\r\r\nhello\r\n0\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf("5\r\nhello\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("5\r\nhello\r0\r\n\r\n"), "chunk_end");
	assert.equal(refusalOf("5\r\nhellox\r\n0\r\n\r\n"), "chunk_end");
	assert.equal(refusalOf("5\r\nhell\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("5\r\nhello0\r\n\r\n"), "chunk_end");
	assert.equal(refusalOf("0\r\n\n"), "bare_lf");
	assert.equal(refusalOf("0\r\n\rX"), "bare_cr");
	assert.equal(refusalOf("0\n\n"), "bare_lf");
});

test("extensions are well-formed and short, or refused", () => {
	for (const extension of [
		";",
		";;a",
		";=b",
		";a=",
		"; a",
		";a ",
		";a =b",
		";a= b",
		';a="b',
		';a="b"c',
		";a=\x01",
		";\xe4",
		';a="\xe4"',
		';a="\\\x01"',
		";a\0",
		';a="\r\n"',
		';a="\\\n"',
		";a,b",
	]) {
		assert.equal(refusalOf(`1${extension}\r\nx\r\n0\r\n\r\n`), "chunk_extension", JSON.stringify(extension));
	}
	assert.equal(refusalOf("1;a\nx\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("1;a\rx\r\n0\r\n\r\n"), "bare_cr");
	const longest = `;${"e".repeat(CHUNK_EXTENSION_LIMIT_BYTES - 1)}`;
	assert.equal(scan(`1${longest}\r\nx\r\n0${longest}\r\n\r\n`).verdict, COMPLETE);
	assert.equal(refusalOf(`1${longest}e\r\nx\r\n0\r\n\r\n`), "chunk_extension_too_long");
});

test("trailers are well-formed and few, and name nothing that heads decide by", () => {
	for (const line of ["X : y", " X: y", "X", ": y", "X: a\0", "X\xe4: y", "X: y\r\n z"]) {
		assert.equal(refusalOf(`0\r\n${line}\r\n\r\n`), "trailer", JSON.stringify(line));
	}
	assert.equal(refusalOf("0\r\nX: y\nZ: y\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("0\r\nX: y\rZ: y\r\n\r\n"), "bare_cr");
	for (const name of [
		...[
			"Content-Length",
			"transfer-ENCODING",
			"Host",
			"Connection",
			"Trailer",
			"TE",
			"Upgrade",
			"Expect",
			"Via",
		],
		...[
			"X-Forwarded-For",
			"X-Forwarded-Anything",
			"x_forwarded_proto",
			"Forwarded",
			"Content_Length",
			"Authorization",
		],
		...["Set-Cookie", "Content-Type", "Sec-WebSocket-Accept"],
	]) {
		assert.equal(refusalOf(`0\r\nX: y\r\n${name}: 1\r\n\r\n`), "trailer_forbidden", name);
	}
	for (const name of ["Content-Lengt", "Content-Lengthy", "X-Forwarded", "Hos", "Digest", "grpc-status"]) {
		assert.equal(scan(`0\r\n${name}: 1\r\n\r\n`).verdict, COMPLETE, name);
	}
	const scanner = new ChunkedScanner();
	const atLimit = latin1(`0\r\nX: ${"y".repeat(TRAILERS_LIMIT_BYTES - 6)}\r\n\r\n`);
	assert.equal(scanner.scan(atLimit, 0, atLimit.length), COMPLETE);
	scanner.reset();
	const beyond = latin1(`0\r\nX: ${"y".repeat(TRAILERS_LIMIT_BYTES)}\r\n\r\n`);
	assert.equal(scanner.scan(beyond, 0, beyond.length), MALFORMED);
	assert.equal(causeName(scanner.cause), "trailers_too_large");
});

test("data is counted without its framing", () => {
	const scanner = new ChunkedScanner();
	const body = latin1("5;name=value\r\nhello\r\n0a\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n");
	assert.equal(scanner.scan(body, 0, body.length), COMPLETE);
	assert.equal(scanner.dataBytes, 15);
});

test("a scanner that is used again begins anew, and refuses to go on behind the end", () => {
	const scanner = new ChunkedScanner();
	const body = latin1("1\r\nx\r\n0\r\n\r\n");
	assert.equal(scanner.scan(body, 0, body.length), COMPLETE);
	assert.equal(scanner.scan(body, 0, body.length), MALFORMED);
	scanner.reset();
	assert.equal(scanner.scan(body, 0, body.length), COMPLETE);
});
