import assert from "node:assert/strict";
import { test } from "node:test";
import { causeName } from "../../../src/protocol/http/causes.js";
import { canonicalName, FieldEdits, NO_EDITS } from "../../../src/protocol/http/edits.js";
import { TRAILERS_LIMIT_BYTES, TrailerSection } from "../../../src/protocol/http/trailers.js";
import { COMPLETE, MALFORMED, NEED_MORE } from "../../../src/protocol/index.js";
import { latin1 } from "../samples.js";

const section = new TrailerSection();

/** What is written of a section that must be taken, whatever stands behind it. */
function written(lines: string, keeps = true, edits = NO_EDITS): string {
	for (let length = 0; length < lines.length; length++) {
		const part = latin1(lines.slice(0, length));
		assert.equal(section.read(part, 0, length, edits, undefined), NEED_MORE, `${length} of ${lines}`);
	}
	const bytes = latin1(`##${lines}GET / HTTP/1.1\r\n`);
	assert.equal(section.read(bytes, 2, bytes.length, edits, undefined), COMPLETE, lines);
	assert.equal(section.position, 2 + lines.length);
	const target = new Uint8Array(8192);
	return Buffer.from(target.subarray(0, section.writeEnd(bytes, keeps, target, 0))).toString("latin1");
}

function refusalOf(lines: string, edits = NO_EDITS, subject?: Uint8Array): string {
	const bytes = latin1(lines);
	assert.equal(section.read(bytes, 0, bytes.length, edits, subject), MALFORMED, JSON.stringify(lines));
	return causeName(section.cause);
}

test("the end of a body is written anew, with its trailers field by field, or without them", () => {
	assert.equal(written("\r\n"), "0\r\n\r\n");
	const lines = "X-Sum:abc\r\nY:\r\nZ: \t a  b \t\r\n\r\n";
	assert.equal(written(lines), "0\r\nX-Sum: abc\r\nY: \r\nZ: a  b\r\n\r\n");
	assert.equal(section.count, 3);
	assert.equal(written(lines, false), "0\r\n\r\n");
	// A request line in disguise is a field, and stays one.
	assert.equal(written("GET: /slow HTTP/1.1\r\n\r\n"), "0\r\nGET: /slow HTTP/1.1\r\n\r\n");
	assert.equal(written("\r\n"), "0\r\n\r\n", "and none of it stays");
});

test("trailers are well-formed and few", () => {
	for (const line of [
		"X : y",
		" X: y",
		"X",
		": y",
		"X: a\0",
		"X\xe4: y",
		"X: y\r\n z",
		"GET /slow HTTP/1.1",
	]) {
		assert.equal(refusalOf(`${line}\r\n\r\n`), "trailer", JSON.stringify(line));
	}
	assert.equal(refusalOf("X: y\nZ: y\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("X: y\rZ: y\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf("\n"), "bare_lf");
	assert.equal(refusalOf("\rX"), "bare_cr");
	assert.ok(written(`X: ${"y".repeat(TRAILERS_LIMIT_BYTES - 7)}\r\n\r\n`.slice(0, TRAILERS_LIMIT_BYTES)));
	assert.equal(refusalOf(`X: ${"y".repeat(TRAILERS_LIMIT_BYTES)}`), "trailers_too_large");
	assert.equal(refusalOf(`${"X: y\r\n".repeat(101)}\r\n`), "trailers_too_large");
});

test("trailers name nothing that heads decide by", () => {
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
		...["X-Forwarded-For", "X-Forwarded-Anything", "x_forwarded_proto", "Forwarded", "Content_Length"],
		...[
			"Authorization",
			"WWW-Authenticate",
			"Set-Cookie",
			"set_cookie",
			"Content-Type",
			"Sec-WebSocket-Accept",
		],
	]) {
		assert.equal(refusalOf(`X: y\r\n${name}: 1\r\n\r\n`), "trailer_forbidden", name);
	}
	for (const name of ["Content-Lengt", "Content-Lengthy", "Hos", "Digest", "grpc-status"]) {
		assert.equal(written(`${name}: 1\r\n\r\n`), `0\r\n${name}: 1\r\n\r\n`);
	}
	const edits = new FieldEdits({ "X-Role": "admin" }, ["x-secret"]);
	assert.equal(refusalOf("x_role: root\r\n\r\n", edits), "trailer_forbidden");
	assert.equal(refusalOf("X-Secret: 1\r\n\r\n", edits), "trailer_forbidden");
	assert.equal(refusalOf("X_Subject: me\r\n\r\n", NO_EDITS, canonicalName("X-Subject")), "trailer_forbidden");
});
