import assert from "node:assert/strict";
import { test } from "node:test";
import { candidates, parseResolvConf } from "../../src/upstream/resolv-conf.js";

function conf(text: string, environment: NodeJS.ProcessEnv = {}): ReturnType<typeof parseResolvConf> {
	return parseResolvConf(text, environment);
}

test("an empty file means the defaults of resolv.conf(5)", () => {
	assert.deepEqual(conf(""), { servers: 1, search: [], ndots: 1, timeoutMs: 5_000, attempts: 2 });
});

test("search and options are read, comments and unknown words passed over", () => {
	const text = `
# written by somebody
; and by somebody else
nameserver 10.0.0.10
nameserver fd00::10
search default.svc.cluster.local svc.cluster.local cluster.local.
options ndots:5 timeout:1 attempts:3 edns0 single-request rotate
`;
	assert.deepEqual(conf(text), {
		servers: 2,
		search: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"],
		ndots: 5,
		timeoutMs: 1_000,
		attempts: 3,
	});
});

test("the last of several search and domain lines holds, and a domain is one", () => {
	assert.deepEqual(conf("search a b\ndomain c d").search, ["c"]);
	assert.deepEqual(conf("domain c\nsearch a b").search, ["a", "b"]);
	assert.deepEqual(conf("search .").search, []);
});

test("options have bounds, and the last one of a name holds", () => {
	assert.deepEqual(conf("options ndots:99 timeout:999 attempts:0"), {
		servers: 1,
		search: [],
		ndots: 15,
		timeoutMs: 30_000,
		attempts: 1,
	});
	assert.equal(conf("options ndots:2 ndots:3\noptions ndots:4").ndots, 4);
	assert.equal(conf("options ndots:x ndots: timeout:-1").ndots, 1);
});

test("LOCALDOMAIN and RES_OPTIONS stand above the file", () => {
	const environment = { LOCALDOMAIN: "x.test y.test", RES_OPTIONS: "ndots:3" };
	const { search, ndots } = conf("search a\noptions ndots:2", environment);
	assert.deepEqual([search, ndots], [["x.test", "y.test"], 3]);
});

test("names are asked for in the domains before or after themselves, by the number of their dots", () => {
	const two = conf("search a.test b.test\noptions ndots:2");
	assert.deepEqual(candidates("app", two), ["app.a.test", "app.b.test", "app"]);
	assert.deepEqual(candidates("app.x", two), ["app.x.a.test", "app.x.b.test", "app.x"]);
	assert.deepEqual(candidates("app.x.y", two), ["app.x.y", "app.x.y.a.test", "app.x.y.b.test"]);
	assert.deepEqual(candidates("app.", two), ["app"], "a trailing dot: nothing is added");
});
