import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, InvalidValue } from "../../src/config/errors.js";
import { loadConfigText } from "../../src/config/load.js";
import {
	distinctLists,
	hashOf,
	macOf,
	newPassword,
	parseHash,
	parseUser,
	readHash,
	usersOf,
	whyNoPassword,
} from "../../src/config/passwords.js";

const HASH = hashOf("alice", "correct horse battery", Buffer.alloc(16, 7));

test("a hash is of a name and a password together, with a salt of its own", () => {
	assert.equal(parseHash(HASH), HASH);
	const { salt, mac } = readHash(HASH);
	assert.deepEqual([...salt], Array(16).fill(7));
	assert.deepEqual(macOf(salt, Buffer.from("alice:correct horse battery")), mac);
	assert.notDeepEqual(macOf(salt, Buffer.from("bob:correct horse battery")), mac);
	assert.notEqual(hashOf("alice", "correct horse battery"), HASH);
	// The same letters, composed or not.
	const e = "\u00e9";
	assert.equal(
		hashOf("z", `${e} and twenty more`, salt),
		hashOf("z", `${e.normalize("NFD")} and twenty more`, salt),
	);
});

test("passwords that are made are not guessed, and others must be long", () => {
	const made = new Set(Array.from({ length: 100 }, newPassword));
	assert.equal(made.size, 100);
	for (const password of made) assert.equal(whyNoPassword(password), undefined);
	assert.match(whyNoPassword("fifteen letters") ?? "", /at least 16 characters/);
	assert.equal(whyNoPassword("sixteen letters."), undefined);
	assert.match(whyNoPassword("x".repeat(257)) ?? "", /at most 256 bytes/);
	assert.match(whyNoPassword("with a\nsecond line") ?? "", /control characters/);
});

test("names and hashes that are none say so, and a password that stands in their place is not told", () => {
	for (const name of ["", "a:b", "a\nb", "x".repeat(129)]) assert.throws(() => parseUser(name), InvalidValue);
	assert.equal(parseUser("Zo\u00eb B."), "Zo\u00eb B.");
	for (const text of ["", "hunter2hunter2hunter2", HASH.slice(0, -1), `${HASH}A`, HASH.replace("pw1", "pw2")])
		assert.throws(
			() => parseHash(text),
			(error: Error) => error instanceof InvalidValue && (text === "" || !error.message.includes(text)),
		);
});

test("of several lists those names count that are in all of them", () => {
	const list = (...users: string[]) => users.map((user) => ({ user, hash: "" }));
	assert.equal(usersOf([]), null);
	assert.deepEqual(usersOf([list("a", "b")]), ["a", "b"]);
	assert.deepEqual(usersOf([list("a", "b", "c"), list("c", "b"), list("b")]), ["b"]);
	assert.deepEqual(distinctLists([list("a"), list("b"), list("a")]), [list("a"), list("b")]);
});

/** Line 3 is the listener's, line 4 the route. */
function told(route: string, listener = "listen: 127.0.0.1:0"): string[] {
	const text = [
		"upstreams: { web: { http: http://10.0.0.1:1 }, bytes: 10.0.0.1:2 }",
		'tunnels: { listen: "127.0.0.1:1", insecure: true, domain: a.test, agents: [{ id: a, public_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, names: [a] }] }',
		`listeners: [{ ${listener}, routes: [`,
		`  { ${route} }, { path: /z, to: web }, { path: /y, to: bytes }, { host: "*.z.test", to: tunnels } ] }]`,
	].join("\n");
	try {
		return loadConfigText(text).warnings.map(({ line, message }) => `${line}: ${message}`);
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		return error.problems.map(({ line, message }) => `${line}: ${message}`);
	}
}

test("a password is asked for where requests are read, and something is to be had", () => {
	const asked = `basic_auth: { alice: ${HASH} }`;
	for (const good of ["to: web", 'host: "*.a.test", to: tunnels', "to: { status: 200 }"])
		assert.deepEqual(told(`path: /x, ${asked}, ${good}`.replace(/path: .x, (.*host)/, "$1")), [], good);
	const bad: readonly (readonly [string, string, RegExp])[] = [
		["to: bytes", asked, /"basic_auth" holds for requests, and "bytes" takes none/],
		["to: reject", asked, /"basic_auth" holds for requests, and "reject" takes none/],
		["to: { redirect: https }", asked, /say their password before they are sent elsewhere/],
		['sni: "*.a.test", to: tunnels', asked, /by "sni" come visitors of tls tunnels/],
		["to: web", "basic_auth: {}", /nobody could come in/],
		["to: web", 'basic_auth: { "a:b": x }', /a name has no ":"/],
		["to: web", "basic_auth: { alice: hunter2 }", /expected what sluice password has printed/],
		[
			"to: web",
			"basic_auth: { alice: 12345678 }",
			/expected what sluice password has printed, which is a text/,
		],
		["to: web", "basic_auth: alice", /expected a mapping of names/],
	];
	for (const [to, keys, message] of bad) {
		const [first = "", ...others] = told(`host: x.test, ${to}, ${keys}`.replace(/host: x.test, sni/, "sni"));
		assert.match(first, message, to);
		assert.ok(first.startsWith("4: "), first);
		assert.deepEqual(others, [], to);
		assert.ok(!first.includes("hunter2") && !first.includes("12345678"), first);
	}
});

test("passwords in the open are told of, unless something stands in front", () => {
	const route = `host: x.test, to: web, basic_auth: { alice: ${HASH} }`;
	assert.match(told(route, "listen: 0.0.0.0:80").join(), /^4: passwords come in the open here/);
	assert.deepEqual(told(route, "listen: 0.0.0.0:80, forwarded_trusted: [10.0.0.0/8]"), []);
	assert.deepEqual(told(route), []);
	const ofAgent = (listen: string): string[] => {
		const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
		const agent = `{ id: a, public_key: ${key}, names: [a], basic_auth: { alice: ${HASH} } }`;
		return loadConfigText(
			[
				`listeners: [{ listen: ${listen}, routes: [{ host: "*.a.test", to: tunnels }] }]`,
				`tunnels: { listen: 127.0.0.1:1, insecure: true, domain: a.test, agents: [${agent}] }`,
			].join("\n"),
		).warnings.map(({ message }) => message);
	};
	assert.match(ofAgent("0.0.0.0:80").join(), /^passwords come in the open here/);
	assert.deepEqual(ofAgent("127.0.0.1:80"), []);
});
