import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidValue } from "../../../src/config/errors.js";
import { agentSchema, checkWritten, parseLocal, tunnelSettings } from "../../../src/tunnel/agent/schema.js";

test("a local service is a port, a host and a port, or a socket, and may speak TLS", () => {
	const cases: readonly (readonly [string, object, boolean])[] = [
		["3000", { host: "localhost", port: 3000 }, false],
		["127.0.0.1:3000", { host: "127.0.0.1", port: 3000 }, false],
		["[::1]:3000", { host: "::1", port: 3000 }, false],
		["app.internal:3000", { host: "app.internal", port: 3000 }, false],
		["unix:/run/app.sock", { path: "/run/app.sock" }, false],
		["http://app.internal", { host: "app.internal", port: 80 }, false],
		["https://app.internal/", { host: "app.internal", port: 443 }, true],
		["https://127.0.0.1:8443", { host: "127.0.0.1", port: 8443 }, true],
	];
	for (const [text, where, tls] of cases) assert.deepEqual(parseLocal(text), { text, where, tls });
	for (const bad of ["", "app", "http://a:1/path", "ftp://a:1", "1:2:3", "70000"])
		assert.throws(() => parseLocal(bad), InvalidValue, bad);
});

const GOOD = { gateway: "gw.example.com:4443", tunnels: [{ name: "App", http: 3000 }] };

function problems(more: object, tunnel: object = {}): string[] {
	const written = { ...GOOD, ...more, tunnels: [{ ...GOOD.tunnels[0], ...tunnel }] };
	const result = agentSchema.safeParse(written);
	if (!result.success) return result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
	const found: string[] = [];
	checkWritten(result.data, (path, message) => found.push(`${path.join(".")}: ${message}`));
	return found;
}

test("what is written becomes settings, in lower case and without colons", () => {
	const fingerprint = `sha256:${"ab:".repeat(31)}ab`;
	const read = agentSchema.parse({ ...GOOD, fingerprint, drain: "5s" });
	assert.equal(read.fingerprint, "AB".repeat(32));
	assert.equal(read.drain, 5_000);
	assert.deepEqual(read.gateway, { host: "gw.example.com", port: 4443 });
	const [tunnel] = read.tunnels;
	assert.ok(tunnel !== undefined);
	assert.deepEqual(tunnelSettings(tunnel), { kind: "http", name: "app", local: parseLocal("3000") });
});

test("what goes with one kind of tunnel only is an error with the others", () => {
	assert.deepEqual(problems({}), []);
	assert.deepEqual(problems({}, { host_header: "inner" }), []);
	assert.match(problems({}, { port: 1 }).join(), /tunnels.0.port: this is for tcp tunnels/);
	assert.match(problems({}, { plain: true }).join(), /tunnels.0.plain: this is for tcp tunnels/);
	assert.match(problems({}, { proxy_protocol: true }).join(), /X-Forwarded-For/);
	assert.match(problems({}, { tcp: 22 }).join(), /exactly one of http, tcp and tls/);
	assert.match(problems({}, { name: "a b" }).join(), /expected a name/);
	assert.match(
		problems({}, { allow: ["10.0.0.0/8", "nobody"] }).join(),
		/tunnels.0.allow.1: expected a block/,
	);
});

test("without TLS only a gateway on this machine is spoken to", () => {
	assert.match(problems({ insecure: true }).join(), /gw.example.com is none/);
	for (const gateway of ["127.0.0.1:1", "[::1]:1", "localhost:1"])
		assert.deepEqual(problems({ insecure: true, gateway }), []);
	assert.match(
		problems({ insecure: true, gateway: "localhost:1", ca: "a.pem" }).join(),
		/no certificate to check/,
	);
});
