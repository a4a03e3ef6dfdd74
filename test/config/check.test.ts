import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { check } from "../../src/cli/check.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-check-"));
after(() => rmSync(directory, { recursive: true }));

/** What `check` returns: good news is for standard output, problems are for standard error. */
function run(text: string | null, strict = false): { code: number; out: string; err: string; file: string } {
	const file = join(directory, text === null ? "absent.yaml" : "sluice.yaml");
	if (text !== null) writeFileSync(file, text);
	const { status, text: said, warnings } = check(file, { strict });
	return { code: status, out: status === 0 ? said : "", err: status === 0 ? warnings : said, file };
}

test("a good file is counted", () => {
	const { code, out, err, file } = run(
		"listeners: [{ listen: :1, routes: [{ sni: x, to: a }, { to: reject }] }]\nupstreams: { a: x:1 }\n",
	);
	assert.deepEqual(
		{ code, out, err },
		{
			code: 0,
			out: `${file}: ok (1 listener, 2 routes, 1 upstream)\ndead peers: found after 90s of silence, or 90s after the first byte that stays unacknowledged\n`,
			err: "",
		},
	);
});

test("a good file that takes nothing but datagrams says nothing of connections", () => {
	const { code, out, err, file } = run(
		"listeners: [{ listen: :1/udp, routes: [{ sni: x, to: a }, { to: reject }] }]\nupstreams: { a: { udp: x:1 } }\n",
	);
	assert.deepEqual(
		{ code, out, err },
		{ code: 0, out: `${file}: ok (1 listener, 2 routes, 1 upstream)\n`, err: "" },
	);
});

test("how subscribers come to the hub is said of each route, and it is no upstream that is counted", () => {
	const { code, out, file } = run(
		[
			"listeners:",
			"  - { listen: 127.0.0.1:1, routes: [{ path: /channels/, to: hub }, { to: a }] }",
			"  - { listen: 127.0.0.1:2, routes: [{ source: 10.0.0.0/8, to: hub, channel: b }, { to: hub }] }",
			"upstreams: { a: { http: http://x:1 } }",
			"hub: { channels: [{ match: b, subscribe: public }] }",
		].join("\n"),
	);
	const [first, , ...rest] = out.split("\n");
	assert.equal(code, 0);
	assert.equal(first, `${file}: ok (2 listeners, 4 routes, 1 upstream)`);
	assert.deepEqual(rest, [
		"to the hub: 127.0.0.1:1 path=/channels/: WebSockets and event streams",
		"to the hub: 127.0.0.1:2 source=10.0.0.0/8: framed TCP, for b",
		"to the hub: 127.0.0.1:2: framed TCP, for the channels that are asked for",
		"",
	]);
});

test("the file of the hub's keys is looked into, and what is wrong is told where it is named", () => {
	const keys = join(directory, "keys.json");
	const text = [
		"listeners: [{ listen: 127.0.0.1:1, routes: [{ path: /channels/, to: hub }] }]",
		"hub: { keys: keys.json, channels: [{ match: b }] }",
	].join("\n");
	const absent = run(text);
	assert.equal(absent.code, 2);
	assert.equal(absent.err, `${absent.file}:2:14: ${keys}: no such file\n`);
	writeFileSync(keys, '{ "keys": [] }');
	const empty = run(text);
	assert.ok(empty.err.startsWith(`${empty.file}:2:14: ${keys}: has no key`), empty.err);
	writeFileSync(keys, JSON.stringify({ keys: [{ kty: "oct", alg: "HS256", k: "A".repeat(43) }] }));
	assert.equal(run(text, true).code, 0);
});

test("all problems go to standard error, and the exit code is 2", () => {
	const { code, out, err, file } = run("listeners: []\nwatch: 5\n");
	assert.equal(code, 2);
	assert.equal(out, "");
	assert.match(err, /:1:12: without a listener.*\n.*\n.*\n.*:2:8: expected true or false/);
	assert.ok(err.startsWith(file));
});

test("a file that cannot be read is exit code 1", () => {
	const { code, out, err, file } = run(null);
	assert.deepEqual(
		{ code, out, err },
		{ code: 1, out: "", err: `${file}: no such file: name one with -c\n` },
	);
});

test("warnings go to standard error and leave the file good; --strict makes problems of them", () => {
	const text = "listeners: [{ listen: :1, routes: [{ to: a }] }]\nupstreams: { a: x:1, b: x:2 }\n";
	const lenient = run(text);
	assert.equal(lenient.code, 0);
	assert.match(lenient.out, /: ok \(1 listener, 1 route, 2 upstreams\), with 1 warning\n/);
	assert.match(lenient.err, /^[^\n]*:2:22: no route leads to "b".*\n.*\n *\| +\^\n$/);
	const strict = run(text, true);
	assert.deepEqual([strict.code, strict.out, strict.err], [2, "", lenient.err]);
	assert.equal(run(text.replace(", b: x:2", ""), true).code, 0);
});
