/** OpenSSL's own client and servers through the gateway: routed by name and ALPN, decrypted by nobody in between. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { run, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

const needs = ["openssl"] as const;

/** `openssl s_server` with a certificate for that name. It answers any HTTP request with a page about the handshake. */
async function startTlsServer(scenario: Scenario, name: string, ...options: string[]): Promise<string> {
	const { certFile, keyFile } = identity(scenario, name);
	const server = start(scenario, "openssl", [
		...["s_server", "-accept", "127.0.0.1:0", "-cert", certFile, "-key", keyFile, "-www"],
		...options,
	]);
	const [, address = ""] = await server.printed(/^ACCEPT (\S+)$/m);
	return address;
}

interface Handshake {
	/** Common name of the certificate that the client was shown. */
	readonly subject: string | undefined;
	readonly version: string | undefined;
	readonly alpn: string | undefined;
	/** The page that the server sent. */
	readonly page: string;
	readonly status: number | null;
	readonly output: string;
}

/** `openssl s_client`: a handshake and one request. */
async function handshake(port: number, ...options: string[]): Promise<Handshake> {
	const { stdout, output, status } = await run(
		"openssl",
		["s_client", "-connect", `127.0.0.1:${port}`, "-ign_eof", ...options],
		{ input: "GET / HTTP/1.0\r\n\r\n" },
	);
	return {
		subject: /^subject=CN = (\S+)$/m.exec(stdout)?.[1],
		version: /^New, (TLSv1\.\d), Cipher/m.exec(stdout)?.[1],
		alpn: /^ALPN protocol: (\S+)$/m.exec(stdout)?.[1],
		page: /HTTP\/1\.0 200[\s\S]*/.exec(output)?.[0] ?? "",
		status,
		output,
	};
}

scenario(
	"TLS 1.2 and 1.3 clients reach the server of the name they ask for",
	async (scenario) => {
		const blue = await startTlsServer(scenario, "blue.test");
		const green = await startTlsServer(scenario, "green.test");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: blue.test, to: blue }
      - { sni: green.test, to: green }
upstreams: { blue: "${blue}", green: "${green}" }
`,
		);
		for (const [option, version] of [
			["-tls1_2", "TLSv1.2"],
			["-tls1_3", "TLSv1.3"],
		] as const) {
			for (const name of ["blue.test", "green.test"]) {
				const seen = await handshake(gateway.port(), "-servername", name, option);
				assert.equal(seen.subject, name);
				assert.equal(seen.version, version);
				assert.match(seen.page, /HTTP\/1\.0 200 ok/);
			}
		}
		const sessions = await gateway.sessions(4);
		assert.deepEqual(
			sessions.map(({ protocol, name, route, upstream }) => [protocol, name, route, upstream]),
			["blue", "green", "blue", "green"].map((name) => ["tls", `${name}.test`, `sni=${name}.test`, name]),
		);
	},
	{ needs },
);

scenario(
	"a wildcard takes any number of labels below its name, and not the name itself",
	async (scenario) => {
		const apps = await startTlsServer(scenario, "apps.test");
		const other = await startTlsServer(scenario, "other.test");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: "*.apps.test", to: apps }
      - { protocol: tls, to: other }
upstreams: { apps: "${apps}", other: "${other}" }
`,
		);
		for (const [name, subject] of [
			["one.apps.test", "apps.test"],
			["a.b.c.apps.test", "apps.test"],
			["ONE.Apps.TEST", "apps.test"],
			["apps.test", "other.test"],
			["oneapps.test", "other.test"],
		] as const) {
			assert.equal((await handshake(gateway.port(), "-servername", name)).subject, subject, name);
		}
	},
	{ needs },
);

scenario(
	"ALPN decides between two upstreams of one name",
	async (scenario) => {
		const h2 = await startTlsServer(scenario, "h2.test", "-alpn", "h2");
		const http1 = await startTlsServer(scenario, "http1.test", "-alpn", "http/1.1");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: www.test, alpn: h2, to: h2 }
      - { sni: www.test, to: http1 }
upstreams: { h2: "${h2}", http1: "${http1}" }
`,
		);
		const offered = (...alpn: string[]) => handshake(gateway.port(), "-servername", "www.test", ...alpn);
		const first = await offered("-alpn", "h2,http/1.1");
		assert.deepEqual([first.subject, first.alpn], ["h2.test", "h2"]);
		const second = await offered("-alpn", "http/1.1");
		assert.deepEqual([second.subject, second.alpn], ["http1.test", "http/1.1"]);
		const none = await offered();
		assert.deepEqual([none.subject, none.alpn], ["http1.test", undefined]);
		assert.deepEqual(
			(await gateway.sessions(3)).map(({ route }) => route),
			["sni=www.test,alpn=h2", "sni=www.test", "sni=www.test"],
		);
	},
	{ needs },
);

scenario(
	"a name without a route gets an alert that says so, and no upstream is dialled",
	async (scenario) => {
		const blue = await startTlsServer(scenario, "blue.test");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ sni: blue.test, to: blue }]
upstreams: { blue: "${blue}" }
`,
		);
		const seen = await handshake(gateway.port(), "-servername", "red.test");
		assert.equal(seen.subject, undefined);
		assert.notEqual(seen.status, 0);
		assert.match(seen.output, /unrecognized name/);
		const session = await gateway.onlySession();
		assert.deepEqual(
			[session.reason, session.name, session.route, session.upstream, session.connected],
			["no_route", "red.test", null, null, null],
		);
	},
	{ needs },
);

scenario(
	"a hello without a name, or with an address for a name, takes the route without one",
	async (scenario) => {
		const blue = await startTlsServer(scenario, "blue.test");
		const nameless = await startTlsServer(scenario, "nameless.test");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: blue.test, to: blue }
      - { protocol: tls, to: nameless }
upstreams: { blue: "${blue}", nameless: "${nameless}" }
`,
		);
		assert.equal((await handshake(gateway.port(), "-noservername")).subject, "nameless.test");
		assert.equal((await handshake(gateway.port(), "-servername", "127.0.0.1")).subject, "nameless.test");
		for (const { name, route } of await gateway.sessions(2)) {
			assert.equal(name, null);
			assert.equal(route, "protocol=tls");
		}
	},
	{ needs },
);

scenario(
	"a hello that OpenSSL cuts into small records is put together again",
	async (scenario) => {
		const blue = await startTlsServer(scenario, "blue.test");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ sni: blue.test, to: blue }]
upstreams: { blue: "${blue}" }
`,
		);
		// More than 512 bytes of hello, and records of 512 at most: OpenSSL then cuts it.
		const protocols = Array.from({ length: 40 }, (_, index) => `protocol-number-${index}`).join(",");
		const small = ["-max_send_frag", "512", "-alpn", protocols];
		const seen = await handshake(gateway.port(), "-servername", "blue.test", ...small);
		assert.equal(seen.subject, "blue.test");
		assert.equal((await gateway.onlySession()).name, "blue.test");
	},
	{ needs },
);
