import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COMPLETE, MALFORMED, parseSshIdentification, SshIdentification } from "../../src/protocol/index.js";
import { latin1, type Outcome, parseEverywhere, parseGrowing, sample } from "./samples.js";

const identification = new SshIdentification();

function parse(bytes: Uint8Array, start: number, end: number): Outcome {
	const verdict = parseSshIdentification(bytes, start, end, identification);
	const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString("latin1");
	return {
		verdict,
		needBytes: identification.needBytes,
		cause: identification.cause,
		result: [
			text(identification.protoVersionStart, identification.protoVersionEnd),
			identification.softwareVersion(bytes),
			text(identification.commentsStart, identification.commentsEnd),
			verdict === COMPLETE ? identification.lineEnd - start : 0,
		],
	};
}

test("the line of OpenSSH is read, and what follows it left alone", () => {
	const bytes = sample("ssh-openssh");
	const whole = parseEverywhere(parse, bytes);
	assert.equal(whole.verdict, COMPLETE);
	const [proto, software, comments, length] = whole.result as [string, string, string, number];
	assert.equal(proto, "2.0");
	assert.match(software, /^OpenSSH_/);
	assert.match(comments, /^Debian/);
	assert.deepEqual(parseGrowing(parse, bytes.subarray(0, length)), whole);
});

test("lines of other clients are read", () => {
	const cases: [string, string[]][] = [
		["SSH-2.0-PuTTY_Release_0.80\r\n", ["2.0", "PuTTY_Release_0.80", ""]],
		[
			"SSH-2.0-libssh-0.2 a comment - with all sorts\r\n",
			["2.0", "libssh-0.2", "a comment - with all sorts"],
		],
		["SSH-1.99-x\r\n", ["1.99", "x", ""]],
		["SSH-2.0-x \r\n", ["2.0", "x", ""]],
		["SSH-2.0-Go\n", ["2.0", "Go", ""]],
		["SSH-2-x\n", ["2", "x", ""]],
	];
	for (const [line, parts] of cases) {
		const outcome = parseGrowing(parse, latin1(line));
		assert.equal(outcome.verdict, COMPLETE, `${outcome.cause}: ${line}`);
		assert.deepEqual((outcome.result as unknown[]).slice(0, 3), parts);
	}
});

test("what is no identification is refused", () => {
	const cases: [string, string][] = [
		["no_ssh_prefix", "SSX"],
		["no_ssh_prefix", "\r\nSSH-2.0-x\r\n"],
		["no_ssh_prefix", "ssh-2.0-x\r\n"],
		["proto_version", "SSH--x\r\n"],
		["proto_version", "SSH-2.0\r\n"],
		["proto_version", "SSH-2 .0-x\r\n"],
		["software_version", "SSH-2.0-\r\n"],
		["software_version", "SSH-2.0- x\r\n"],
		["line_end", "SSH-2.0-x\0\r\n"],
		["line_end", "SSH-2.0-x\rx"],
		["comments", "SSH-2.0-x a\0b\r\n"],
		["line_too_long", `SSH-2.0-${"x".repeat(300)}\r\n`],
	];
	for (const [cause, line] of cases) {
		const outcome = parseGrowing(parse, latin1(line));
		assert.deepEqual([outcome.verdict, outcome.cause], [MALFORMED, cause], JSON.stringify(line));
	}
});

test("255 bytes are taken, CR LF included, and 256 are not", () => {
	const line = (bytes: number) => latin1(`SSH-2.0-${"x".repeat(bytes - 10)}\r\n`);
	assert.equal(parseGrowing(parse, line(255)).verdict, COMPLETE);
	assert.equal(parseGrowing(parse, line(256)).cause, "line_too_long");
});

test("property: mutated lines never throw or depend on what lies around them", () => {
	fc.assert(
		fc.property(fc.nat(60), fc.nat(255), fc.nat(60), (index, value, cut) => {
			const bytes = latin1("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3 and more\r\n").slice(0, cut);
			if (bytes.length > 0) bytes[index % bytes.length] = value;
			parseGrowing(parse, bytes);
		}),
		{ numRuns: 500 },
	);
});
