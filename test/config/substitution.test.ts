// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of configurations
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import type { Config } from "../../src/config/config.js";
import { ConfigError, formatProblems } from "../../src/config/errors.js";
import { loadConfigFile, loadConfigText, reloadConfigFile } from "../../src/config/load.js";
import { jsonSchema } from "../../src/config/schema.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-substitution-"));
after(() => rmSync(directory, { recursive: true }));

const TOKEN = "0123456789abcdef-very-secret";
writeFileSync(join(directory, "token"), `${TOKEN}\n`);
writeFileSync(join(directory, "crlf"), `${TOKEN}\r\n`);
writeFileSync(join(directory, "digits"), "1234567890123456\n");
writeFileSync(join(directory, "exponent"), "12345678901234e2\n");
writeFileSync(join(directory, "count"), "250\n");
writeFileSync(join(directory, "host"), "Hidden Host.example.com:what\n");
writeFileSync(join(directory, "bytes"), Buffer.from([0xff, 0xfe, 0x00]));
mkdirSync(join(directory, "folder"));

const ENV = { PORT: "8443", HOST: "10.0.0.7", EMPTY: "", LEVEL: "warn", SWITCH: "true", N: "100" };

function load(text: string, env: Readonly<Record<string, string>> = ENV): Config {
	return loadConfigText(text, { file: join(directory, "sluice.yaml"), env });
}

/** A good file around `lines`, which begin at line 3. */
const top = (...lines: string[]): string =>
	[
		"listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]",
		"upstreams: { a: 127.0.0.1:2 }",
		...lines,
	].join("\n");

/** `line:column: message` of each problem. */
function problemsOf(text: string, env: Readonly<Record<string, string>> = ENV): string[] {
	try {
		load(text, env);
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		return error.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
	}
	return [];
}

function has(text: string, ...expected: readonly (readonly [place: string, part: string])[]): void {
	const told = problemsOf(text);
	assert.equal(told.length, expected.length, `${text}\n---\n${told.join("\n")}`);
	for (const [index, [place, part]] of expected.entries()) {
		const line = told[index] ?? "";
		assert.ok(
			line.startsWith(`${place}: `) && line.includes(part),
			`wanted ${place}: …${part}…\nfound  ${line}`,
		);
	}
}

test("a variable stands for its value, alone and within a text, in flow style, quotes and blocks", () => {
	const config = load(
		[
			"listeners:",
			"  - listen: 127.0.0.1:${PORT}",
			'    routes: [{ sni: "${NAME:-git}.${ZONE:-example.com}", to: ${TO:-a} }, { to: reject }]',
			"upstreams: { a: { addresses: [${HOST}:1, '${HOST}:2'] } }",
			"admin_hosts:",
			"  - >-",
			"    ${NAME:-sluice}.internal",
		].join("\n"),
	);
	assert.equal(config.listeners[0]?.name, "127.0.0.1:8443");
	assert.equal(config.listeners[0]?.routes[0]?.label, "sni=git.example.com");
	assert.equal(config.listeners[0]?.routes[0]?.to, "a");
	assert.deepEqual(
		config.upstreams[0]?.addresses.map((each) => each.kind === "ip" && `${each.address}:${each.port}`),
		["10.0.0.7:1", "10.0.0.7:2"],
	);
	assert.deepEqual(config.adminHosts, ["sluice.internal"]);
});

test("an unquoted value is the number or the switch that it says, and a quoted one is a text", () => {
	const connections = (value: string): unknown =>
		load(top(`limits: { connections: ${value} }`)).limits.connections;
	assert.equal(connections("${N}"), 100);
	assert.equal(connections("${M:-200}"), 200);
	assert.equal(connections("${N}0"), 1_000);
	assert.equal(connections("${file:count}"), 250);
	assert.equal(load(top("watch: ${SWITCH}")).watch, true);
	assert.equal(load(top("watch: '${SWITCH}'")).watch, true);
	has(top('limits: { connections: "${N}" }'), ["3:24", 'found "100"']);
});

test("a token made of digits alone is a text, however it is written", () => {
	for (const file of ["digits", "exponent"]) {
		const { full } = load(top(`admin_tokens: { full: \${file:${file}} }`)).adminTokens;
		assert.equal(full?.length, 16);
	}
	assert.equal(
		load(top("admin_tokens: { full: ${T} }"), { T: "1234567890123456" }).adminTokens.full,
		"1234567890123456",
	);
});

test("a default is for what is not set, and for what is empty", () => {
	const level = (value: string): unknown => load(top(`log: { level: ${value} }`)).log.level;
	assert.equal(level("${LEVEL:-error}"), "warn");
	assert.equal(level("${ABSENT:-error}"), "error");
	assert.equal(level("${EMPTY:-error}"), "error");
	assert.equal(level("${EMPTY}debug${ABSENT:-}"), "debug");
});

test("a file gives its content without the newline at its end, and is read again at each load", () => {
	const { full, read } = load(top("admin_tokens: { full: ${file:token}, read: '${file:crlf}' }")).adminTokens;
	assert.deepEqual([full, read], [TOKEN, TOKEN]);
	const file = join(directory, "reloaded.yaml");
	writeFileSync(file, top("reactors: ${file:reactors}"));
	writeFileSync(join(directory, "reactors"), "2\n");
	assert.equal(loadConfigFile(file).reactors, 2);
	writeFileSync(join(directory, "reactors"), "3\n");
	assert.equal(reloadConfigFile(file).reactors, 3);
});

test("$${ is ${ itself", () => {
	const text = [
		"listeners:",
		"  - listen: :1",
		"    routes: [{ to: a, request_headers: { set: { X-A: $${HOST}, X-B: 'a $${ b ${PORT}', X-C: $HOST } } }]",
		"upstreams: { a: { http: 'http://x:1' } }",
	].join("\n");
	assert.deepEqual(load(text).listeners[0]?.routes[0]?.requests?.requestHeaders.set, {
		"X-A": "${HOST}",
		"X-B": "a ${ b 8443",
		"X-C": "$HOST",
	});
});

test("comments are left alone, and an alias is what its anchor was filled with", () => {
	const config = load(
		top("# ${ABSENT} ${", "limits:", "  connections: &n ${N} # ${}", "  connections_per_ip: *n"),
	);
	assert.equal(config.limits.connectionsPerIp, 100);
});

test("what cannot be filled is told where its reference begins, each of them, along with all else", () => {
	has(top("reactors: ${ABSENT}"), [
		"3:11",
		"the environment variable ABSENT is not set: set it, or write a default, ${ABSENT:-…}",
	]);
	has(
		top("log: { level: '${ABSENT} ${LEVEL} $${X} ${OTHER}', format: jsn }"),
		["3:16", "ABSENT is not set"],
		["3:41", "OTHER is not set"],
		["3:60", 'did you mean "json"?'],
	);
	has(top("reactors: ${toString}"), ["3:11", "toString is not set"]);
	has(top("reactors: ${}"), ["3:11", '"${}" names nothing: write ${PORT}, ${PORT:-443} or ${file:path}']);
	has(top("log: { level: ${:-x} }"), ["3:15", "names no variable"]);
	has(top("log: { level: a${9X} }"), ["3:16", "names no variable"]);
	has(top("log: { level: '${A B}' }"), ["3:16", "names no variable"]);
	has(top("log: { level: ${env:A} }"), ["3:15", "write ${A}"]);
	has(top("log: { level: ${A-x} }"), ["3:15", "write ${A:-x}"]);
	has(top("log: { level: ${A:?no} }"), ["3:15", "write ${A:-no}"]);
	has(top("log: { level: ${A:-${B}} }"), [
		"3:15",
		"one reference cannot stand in another: give A a plain default",
	]);
	has("listeners: []\n${KEY}: 5\n", ["2:1", "a key stands for itself"]);
});

test("a brace that is not closed is told where it was opened, whatever stands behind it", () => {
	for (const text of [
		"log: { level: ${LEVEL }",
		"log: { level: ${LEVEL, format: json }",
		"log: { level: ${X:-a }",
		"log: { level: ${X:-a, format: json }",
	])
		has(top(text), ["3:15", '"${" is not closed']);
	has(top("reactors: ${N"), ["3:11", '"${" is not closed']);
	has(
		top('log: { level: "a ${LEVEL", format: "${ABSENT}" }'),
		["3:18", '"${" is not closed'],
		["3:37", "ABSENT is not set"],
	);
});

test("a file that cannot be read is told with its path", () => {
	has(top("reactors: ${file:absent}"), ["3:11", `${directory}/absent is not there: a path is relative to`]);
	has(top("reactors: ${file:folder}"), ["3:11", `${directory}/folder is a directory`]);
	has(top("reactors: ${file:bytes}"), ["3:11", `${directory}/bytes is not a UTF-8 text`]);
	has(top("reactors: ${file:/dev/null}"), ["3:11", "/dev/null is a device"]);
	has(top("reactors: ${file:}"), ["3:11", '"${file:}" names no file']);
});

test("problems of what was put in are told where it stands in the file", () => {
	has(top("limits: { connections: ${LEVEL} }"), ["3:24", 'found "warn"']);
	has("listeners: [{ listen: :1, routes: [{ to: ${TO:-b} }] }]\nupstreams: { a: x:1 }", [
		"1:42",
		'unknown upstream "b"',
	]);
	has(top("timeouts: { idle: ${EMPTY} }"), ["3:19", 'found ""']);
	has(top("log: { level: $LEVEL }"), ["3:15", '"$LEVEL" is not replaced here: write ${LEVEL}']);
});

test("no problem and no warning shows what came out of a file", () => {
	const texts = [
		top("limits: { connections: ${file:token} }"),
		top("keepalive: { probes: ${file:count} }"),
		top("watch: ${file:count}"),
		top("admin: ${file:host}"),
		top("admin_hosts: ['${file:host}']"),
		top("timeouts: { lifetime: '${file:host}' }"),
		top("tls: { client_subject_header: '${file:host}' }"),
		"listeners: [{ listen: '${file:host}', routes: [{ to: a }] }]\nupstreams: { a: x:1 }",
		"listeners: [{ listen: :1, routes: [{ to: ${file:token} }] }]\nupstreams: { a: x:1 }",
		"listeners: [{ listen: :1, routes: [{ sni: '${file:host}', to: a }] }]\nupstreams: { a: x:1 }",
		"listeners: [{ listen: :1, routes: [{ sni: '${file:token}', to: a }, { sni: '${file:token}', to: a }] }]\nupstreams: { a: x:1 }",
		"listeners: [{ listen: :1, routes: [{ to: a }] }]\nupstreams: { a: ['${file:host}', '${file:token}'] }",
		"listeners: [{ listen: :1, routes: [{ to: a }] }]\nupstreams: { a: { http: '${file:host}' } }",
	];
	for (const text of texts) {
		let told = "";
		try {
			told = formatProblems({ problems: load(text).warnings });
		} catch (error) {
			if (!(error instanceof ConfigError)) throw error;
			told = `${error.message}\n${formatProblems(error)}`;
		}
		assert.match(told, /\$\{file:/, text);
		for (const part of ["0123", "secret", "idden", "what\\b.*what", "\\b250\\b"])
			assert.doesNotMatch(told.replaceAll("1 to 256", ""), new RegExp(part, "i"), `${text}\n${told}`);
	}
});

test("the JSON Schema takes references wherever a value stands", () => {
	const schema = z.fromJSONSchema(jsonSchema());
	const good = [
		'limits: { connections: "${N:-100}", buffered_bytes: "${B}" }',
		'timeouts: { idle: "${IDLE:-5m}", lifetime: "${L}" }',
		'log: { level: "${LEVEL}", sessions: "${S}" }',
		'admin_tokens: { full: "${file:token}" }',
		'watch: "${W}"',
	];
	for (const line of good) schema.parse(parse(top(line)));
	for (const line of ["limits: { connections: many }", "watch: maybe", "limits: '${L}'"])
		assert.equal(schema.safeParse(parse(top(line))).success, false, line);
});
