import assert from "node:assert/strict";
import { test } from "node:test";
import { causeName } from "../../../src/protocol/http/causes.js";
import { CHUNK_EXTENSION_LIMIT_BYTES, ChunkedScanner } from "../../../src/protocol/http/chunked.js";
import { COMPLETE, MALFORMED, NEED_MORE } from "../../../src/protocol/index.js";
import { latin1 } from "../samples.js";

interface Scanned {
	verdict: number;
	position: number;
	cause: string;
	/** What goes on. */
	kept: string;
	dataBytes: number;
}

function text(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("latin1");
}

/** Scans pieces of a body, each with a scanner that was loaded with what the one before it left. */
function scanPieces(pieces: readonly string[], decodes: boolean): Scanned {
	const result: Scanned = { verdict: NEED_MORE, position: 0, cause: "none", kept: "", dataBytes: 0 };
	let [phase, left, spent] = [0, 0, 0];
	for (const piece of pieces) {
		const bytes = latin1(piece);
		const scanner = new ChunkedScanner();
		scanner.load(phase, left, spent, decodes);
		result.verdict = scanner.scan(bytes, 0, bytes.length);
		result.position += scanner.position;
		result.cause = causeName(scanner.cause);
		result.kept += text(bytes.subarray(0, scanner.keptBytes));
		result.dataBytes += scanner.dataBytes;
		if (result.verdict !== NEED_MORE) break;
		({ phase, left, spent } = scanner);
	}
	return result;
}

/** Scans a body whole, byte by byte, and in two pieces at every place; all must say the same. */
function scan(body: string, decodes = false): Scanned {
	const whole = scanPieces([body], decodes);
	assert.deepEqual(scanPieces([...body], decodes), whole, JSON.stringify(body));
	for (let cut = 1; cut < body.length; cut++)
		assert.deepEqual(scanPieces([body.slice(0, cut), body.slice(cut)], decodes), whole, `cut at ${cut}`);
	return whole;
}

/** Chunks up to the trailer section, whatever comes behind them; and what goes on of them. */
function assertTaken(body: string, kept: string, data: string): void {
	for (const rest of ["", "\r\n", "GET / HTTP/1.1\r\n", "0"]) {
		const scanned = scan(body + rest);
		assert.equal(scanned.verdict, COMPLETE, `${scanned.cause}: ${JSON.stringify(body)}`);
		assert.deepEqual([scanned.position, scanned.kept], [body.length, kept], JSON.stringify(body));
		assert.equal(scanned.dataBytes, data.length);
		assert.equal(scan(body + rest, true).kept, data, "decoded");
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

test("plain chunks go on as they are, up to the last one, which whoever reads the trailers writes", () => {
	assertTaken("0\r\n", "", "");
	assertTaken("5\r\nhello\r\n0\r\n", "5\r\nhello\r\n", "hello");
	assertTaken("5\r\n0\r\n\r\n\r\n0\r\n", "5\r\n0\r\n\r\n\r\n", "0\r\n\r\n");
	assertTaken(
		"A\r\n0123456789\r\n10\r\n0123456789abcdef\r\n0\r\n",
		"A\r\n0123456789\r\n10\r\n0123456789abcdef\r\n",
		"01234567890123456789abcdef",
	);
});

test("zeros before a size, extensions and blanks do not go on", () => {
	for (const line of [
		"1",
		"01",
		"0000000000000001",
		"1;a",
		"1;a=b;c",
		'1;d="e \\" f"',
		"1 ",
		"1\t \t",
		"1 ;a",
		"1; a",
		"1 ; a = b ",
		"1;a =b",
		'1;a= "b" ; c',
		"1 ;\ta\t=\tb\t;c",
	])
		for (const last of ["0", "000", "0 ", "0;a=b", "00 ; a"])
			assertTaken(`${line}\r\nx\r\n${last}\r\n`, "1\r\nx\r\n", "x");
});

test("no more goes on than is asked for, and the rest is scanned anew", () => {
	const body = "3;a=b\r\nabc\r\n002\r\nde\r\n0\r\n";
	const all = "3\r\nabc\r\n2\r\nde\r\n";
	for (let most = 1; most < all.length; most++) {
		const scanner = new ChunkedScanner();
		let kept = "";
		let from = 0;
		let verdict: number = NEED_MORE;
		while (verdict === NEED_MORE) {
			const bytes = latin1(body.slice(from));
			verdict = scanner.scan(bytes, 0, bytes.length, most);
			assert.ok(scanner.keptBytes <= most && scanner.position > 0);
			kept += text(bytes.subarray(0, scanner.keptBytes));
			from += scanner.position;
		}
		assert.deepEqual([verdict, kept, from], [COMPLETE, all, body.length]);
	}
});

test("a chunk is skipped by arithmetic: its bytes are not looked at", () => {
	const scanner = new ChunkedScanner();
	const size = latin1("ffffffff\r\n");
	assert.equal(scanner.scan(size, 0, size.length), NEED_MORE);
	assert.equal(scanner.left, 0xffff_ffff);
	const data = new Uint8Array(65536);
	for (let i = 0; i < 1000; i++) assert.equal(scanner.scan(data, 0, data.length), NEED_MORE);
	assert.equal(scanner.left, 0xffff_ffff - 65536 * 1000);
});

test("sizes that two readers could take differently are refused", () => {
	for (const size of [
		"0x5",
		"+5",
		"-5",
		" 5",
		"\t5",
		"5 5",
		"5\t5",
		"5_0",
		"",
		"g",
		"5\0",
		"5h",
		"5.",
		"5,",
		"5 ,",
		"\r",
		"\x0b5",
		"5\x0b",
	]) {
		assert.equal(refusalOf(`${size}\r\nhello\r\n0\r\n\r\n`), "chunk_size", JSON.stringify(size));
	}
	for (const size of [
		"100000000",
		"00000000100000000",
		"20000000000000",
		"ffffffffffffffff",
		"10000000000000005",
		"00000000000000005",
	]) {
		assert.equal(refusalOf(`${size}\r\nhello\r\n0\r\n\r\n`), "chunk_size_too_large", size);
	}
});

test("lines end in CR LF, and data ends where its size says", () => {
	assert.equal(refusalOf("5\nhello\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("5 \nhello\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("5 \rhello\r\n0\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf("5\rhello\r\n0\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf("5\r\r\nhello\r\n0\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf("5\r \nhello\r\n0\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf("5\r\nhello\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("5\r\nhello\r0\r\n\r\n"), "chunk_end");
	assert.equal(refusalOf("5\r\nhellox\r\n0\r\n\r\n"), "chunk_end");
	assert.equal(refusalOf("5\r\nhello \r\n0\r\n\r\n"), "chunk_end");
	assert.equal(refusalOf("5\r\nhell\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("5\r\nhello0\r\n\r\n"), "chunk_end");
	assert.equal(refusalOf("0\n\n"), "bare_lf");
});

test("extensions are well-formed and short, or refused", () => {
	for (const extension of [
		...[";", ";;a", ";=b", ";a=", "; ", " ; ;a", ";a = ", ";a b", ";a=b c", ';a="b', ';a="b"c', ';a="b" c'],
		...[";a=\x01", ";\xe4", ';a="\xe4"', ';a="\\\x01"', ";a\0", ';a="\r\n"', ';a="\\\n"', ";a,b", ";a\x0b"],
	]) {
		assert.equal(refusalOf(`1${extension}\r\nx\r\n0\r\n\r\n`), "chunk_extension", JSON.stringify(extension));
	}
	assert.equal(refusalOf("1;a\nx\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("1;a \nx\r\n0\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("1;a\rx\r\n0\r\n\r\n"), "bare_cr");
	for (const longest of [
		`;${"e".repeat(CHUNK_EXTENSION_LIMIT_BYTES - 1)}`,
		" ".repeat(CHUNK_EXTENSION_LIMIT_BYTES),
	]) {
		assert.equal(scan(`1${longest}\r\nx\r\n0${longest}\r\n`).kept, "1\r\nx\r\n");
		assert.equal(refusalOf(`1${longest} \r\nx\r\n0\r\n\r\n`), "chunk_extension_too_long");
	}
});

test("a scanner that is used again begins anew, and refuses to go on behind the end", () => {
	const scanner = new ChunkedScanner();
	const body = () => latin1("1\r\nx\r\n0\r\n");
	assert.equal(scanner.scan(body(), 0, 9), COMPLETE);
	assert.equal(scanner.scan(body(), 0, 9), MALFORMED);
	scanner.reset();
	assert.equal(scanner.scan(body(), 0, 9), COMPLETE);
});
