import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ArgumentsError, readFlags, type TunnelFlags } from "../../src/cli/tunnel/settings.js";
import { issue } from "../../src/rig/issue.js";
import { newToken } from "../../src/tunnel/keys.js";
import { scenario } from "../support/scenario.js";

const GOOD: TunnelFlags = { gateway: "gw.example.com:4443", name: "app" };
const token = newToken("laptop");

/** With this in the environment, which is put back. */
function within<T>(environment: Readonly<Record<string, string>>, body: () => T): T {
	const before = { ...process.env };
	for (const name of ["SLUICE_TOKEN", "HTTPS_PROXY", "https_proxy"]) delete process.env[name];
	Object.assign(process.env, environment);
	try {
		return body();
	} finally {
		process.env = before;
	}
}

function fault(kind: string, local: string | undefined, flags: TunnelFlags, environment = {}): string {
	try {
		within({ SLUICE_TOKEN: token, ...environment }, () => readFlags(kind, local, flags));
	} catch (error) {
		if (error instanceof ArgumentsError) return error.message;
		throw error;
	}
	return "";
}

scenario("flags become settings, and what they name is read", async (scenario) => {
	const ca = join(scenario.directory, "ca.pem");
	const { text } = issue({ commonName: "gw" }).cert;
	writeFileSync(ca, text);
	const tokenFile = join(scenario.directory, "token");
	writeFileSync(tokenFile, `${token}\n`);
	const flags = {
		...GOOD,
		ca,
		tokenFile,
		port: "20001",
		connections: "5",
		bytesPerSecond: "1MiB",
		drain: "1s",
	};
	const { settings } = within({ HTTPS_PROXY: "http://proxy:3128" }, () => readFlags("tcp", "22", flags));
	assert.equal(settings.identity.id, "laptop");
	assert.equal(settings.trust.ca, text);
	assert.deepEqual(settings.proxy, { host: "proxy", port: 3128 });
	assert.equal(settings.drainMs, 1_000);
	const [tunnel] = settings.tunnels;
	assert.deepEqual(
		[tunnel?.port, tunnel?.connections, tunnel?.bytesPerSecond, tunnel?.local.text],
		[20_001, 5, 1_048_576, "22"],
	);
});

scenario("the inspector is off, or on an address of this machine", async () => {
	const inspect = (flags: TunnelFlags) =>
		within({ SLUICE_TOKEN: token }, () => readFlags("http", "3000", { ...GOOD, ...flags })).inspect;
	assert.equal(inspect({}), undefined);
	assert.deepEqual(inspect({ inspect: "4040" }), { host: "127.0.0.1", port: 4_040, requests: 100 });
	assert.deepEqual(inspect({ inspect: "localhost:0" }), { host: "127.0.0.1", port: 0, requests: 100 });
	const six = { inspect: "[::1]:4040", inspectRequests: "7" };
	assert.deepEqual(inspect(six), { host: "::1", port: 4_040, requests: 7 });
});

scenario("what cannot be followed is told by the name of its flag", async (scenario) => {
	const empty = join(scenario.directory, "empty");
	writeFileSync(empty, "");
	const cases: readonly (readonly [string, string | undefined, TunnelFlags, RegExp])[] = [
		["ftp", "21", GOOD, /^"ftp" is no kind of tunnel: .* udp 53 or quic 443/],
		["udp", "unix:/a", GOOD, /^sluice tunnel udp: datagrams go to a port: write 53 or 127.0.0.1:53/],
		["quic", "https://a:443", GOOD, /^sluice tunnel quic: datagrams are passed on as they come/],
		["udp", "53", { ...GOOD, localCheck: true }, /^--local-check: .*a udp tunnel has no check; remove it/],
		["quic", "443", { ...GOOD, port: "5" }, /^--port: this is for tcp and udp tunnels: visitors of others/],
		["http", undefined, GOOD, /^where is the local service\?/],
		["http", "3000", {}, /^--gateway: expected.*\n--name: expected/],
		["http", "70000", GOOD, /^sluice tunnel http: expected a whole number from 1 to 65535/],
		["tcp", "22", { ...GOOD, hostHeader: "a" }, /^--host-header: this is for http tunnels/],
		["tcp", "https://a:1", GOOD, /only an http tunnel speaks TLS/],
		["tcp", "22", { ...GOOD, insecure: true }, /^--insecure: without TLS only a gateway on this machine/],
		["tcp", "22", { ...GOOD, ca: "/nowhere.pem" }, /^\/nowhere.pem: no such file/],
		["tcp", "22", { ...GOOD, ca: empty }, /: no certificate \(PEM\) is in it/],
		["tcp", "22", { ...GOOD, drain: "soon" }, /^--drain: expected a duration/],
		["http", "1", { ...GOOD, inspect: "0.0.0.0:4040" }, /^--inspect: the inspector shows whole requests/],
		["http", "1", { ...GOOD, inspect: "app.example.com:4040" }, /^--inspect: expected a port, such as 4040/],
		["http", "1", { ...GOOD, inspect: "[::]:4040" }, /^--inspect: the inspector shows whole requests/],
		["http", "1", { ...GOOD, inspect: "70000" }, /^--inspect: expected a whole number from 0 to 65535/],
		["http", "1", { ...GOOD, inspect: "unix:/a" }, /^--inspect: the inspector shows whole requests/],
		["tcp", "1", { ...GOOD, inspect: "4040" }, /^--inspect: requests of http tunnels are inspected/],
		["http", "1", { ...GOOD, inspectRequests: "5" }, /^--inspect-requests: it says how many/],
		["http", "1", { ...GOOD, inspect: "1", inspectRequests: "0" }, /^--inspect-requests: expected a whole/],
		["tcp", "22", { ...GOOD, tokenFile: empty }, /: the token is empty/],
		["tcp", "22", { ...GOOD, allow: ["10.0.0.0/8", "b"] }, /^--allow: expected a block/],
		["http", "1", { ...GOOD, basicAuth: ["alice"] }, /^--basic-auth: expected what sluice password/],
		["http", "1", { ...GOOD, basicAuth: [":pw1_"] }, /^--basic-auth: /],
		["tcp", "22", { ...GOOD, localCheck: "/x" }, /^--local-check: "path" is of HTTP checks/],
	];
	for (const [kind, local, flags, message] of cases) assert.match(fault(kind, local, flags), message);
	assert.match(fault("tcp", "22", GOOD, { SLUICE_TOKEN: "" }), /^no token: put it into SLUICE_TOKEN/);
	assert.match(
		fault("tcp", "22", GOOD, { SLUICE_TOKEN: `${token}x` }),
		/^SLUICE_TOKEN: the token is not whole/,
	);
	assert.match(fault("tcp", "22", GOOD, { HTTPS_PROXY: "socks5://a:1" }), /^HTTPS_PROXY begins with socks5/);
});
