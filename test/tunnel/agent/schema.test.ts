import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidValue } from "../../../src/config/errors.js";
import { hashOf } from "../../../src/config/passwords.js";
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
	assert.match(problems({}, { port: 1 }).join(), /tunnels.0.port: this is for tcp and udp tunnels/);
	assert.match(problems({}, { plain: true }).join(), /tunnels.0.plain: this is for tcp and udp tunnels/);
	assert.match(problems({}, { proxy_protocol: true }).join(), /X-Forwarded-For/);
	assert.match(problems({}, { tcp: 22 }).join(), /exactly one of http, tcp, tls, udp and quic/);
	assert.match(problems({}, { name: "a b" }).join(), /expected a name/);
	assert.match(
		problems({}, { allow: ["10.0.0.0/8", "nobody"] }).join(),
		/tunnels.0.allow.1: expected a block/,
	);
});

test("tunnels of datagrams end at a port, and say who a visitor is where they are told to", () => {
	const of = (tunnel: object): readonly string[] => {
		const written = { ...GOOD, tunnels: [{ name: "a", ...tunnel }] };
		const found: string[] = [];
		checkWritten(agentSchema.parse(written), (path, message) => found.push(`${path.join(".")}: ${message}`));
		return found;
	};
	for (const kind of ["udp", "quic"]) {
		assert.deepEqual(of({ [kind]: 53 }), []);
		assert.deepEqual(
			of({ [kind]: "[::1]:53", proxy_protocol: true, local_check: "off", connections: 5 }),
			[],
		);
		assert.match(of({ [kind]: "unix:/a" }).join(), /datagrams go to a port/);
		assert.match(of({ [kind]: "https://a:443" }).join(), /without https/);
		assert.match(of({ [kind]: 53, local_check: "on" }).join(), /tunnels.0.local_check: .* has no check/);
		assert.match(of({ [kind]: 53, host_header: "a" }).join(), /this is for http tunnels/);
	}
	assert.deepEqual(of({ udp: 53, port: 20_000, plain: true }), []);
	assert.match(of({ quic: 443, plain: true }).join(), /lines of quic tunnels may always be plain/);
	const [tunnel] = agentSchema.parse({ ...GOOD, tunnels: [{ name: "a", udp: 53 }] }).tunnels;
	assert.ok(tunnel !== undefined);
	assert.deepEqual(tunnelSettings(tunnel), { kind: "udp", name: "a", local: parseLocal("53") });
});

test("a check of the local service has the words of an upstream's, and a path alone is enough", () => {
	const read = (tunnel: object): unknown => {
		const [first] = agentSchema.parse({ ...GOOD, tunnels: [{ name: "a", ...tunnel }] }).tunnels;
		assert.ok(first !== undefined);
		return tunnelSettings(first).localCheck;
	};
	const knock = { intervalMs: 5_000, timeoutMs: 2_000, fall: 3, rise: 2, http: null };
	const http = { path: "/healthz", host: "localhost:3000", statuses: [{ from: 200, to: 399 }] };
	assert.equal(read({ http: 3000 }), undefined);
	for (const off of ["off", false]) assert.equal(read({ tcp: 22, local_check: off }), undefined);
	for (const on of ["on", true, {}]) assert.deepEqual(read({ tcp: 22, local_check: on }), knock);
	assert.deepEqual(read({ http: 3000, local_check: "/healthz" }), { ...knock, http });
	assert.deepEqual(
		read({
			...{ http: "https://[::1]:443", host_header: "app.local" },
			local_check: { path: "/healthz", status: [204, "300-301"], interval: "1s", fall: 1, rise: 9 },
		}),
		{
			...{ intervalMs: 1_000, timeoutMs: 1_000, fall: 1, rise: 9 },
			http: {
				...{ path: "/healthz", host: "app.local" },
				statuses: [
					{ from: 204, to: 204 },
					{ from: 300, to: 301 },
				],
			},
		},
	);
	for (const [local, host] of [
		["https://[::1]:443", "[::1]"],
		["http://app.internal", "app.internal"],
		["unix:/run/app.sock", "localhost"],
	]) {
		const check = read({ http: local, local_check: "/" }) as { http: { host: string } };
		assert.equal(check.http.host, host);
	}
});

test("names and hashes of passwords are for http tunnels, and stand as they are", () => {
	const hash = hashOf("alice", "a long password");
	const [tunnel] = agentSchema.parse({
		...GOOD,
		tunnels: [{ name: "a", http: 1, basic_auth: { alice: hash } }],
	}).tunnels;
	assert.ok(tunnel !== undefined);
	assert.deepEqual(tunnelSettings(tunnel).basicAuth, [{ user: "alice", hash }]);
	assert.match(
		problems({}, { http: undefined, tcp: 22, basic_auth: { alice: hash } }).join(),
		/basic_auth: this is for http tunnels: visitors of others cannot be asked/,
	);
	assert.match(
		problems({}, { basic_auth: { alice: "hunter2" } }).join(),
		/expected what sluice password has printed/,
	);
});

test("a check that cannot be made says why", () => {
	const wrong = (check: unknown, tunnel: object = {}): string =>
		problems({}, { ...tunnel, local_check: check }).join();
	assert.match(wrong({ timeout: "6s" }), /local_check: timeout must not be longer than interval \(5s\)/);
	assert.match(
		wrong("/healthz", { http: undefined, tcp: 22 }),
		/"path" is of HTTP checks, and this is a tcp tunnel/,
	);
	assert.match(wrong({ status: 204 }), /"status" does nothing without a path/);
	assert.match(wrong("healthz"), /expected on, off, a path such as \/healthz/);
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
