/** Names that are terminated, and names that pass: real clients against certificates of both sides. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startGateway } from "../support/gateway.js";
import { echo, type Peer, sayName, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { answering, get, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, entry, handshakeFate, identity, startTlsUpstream } from "../support/tls.js";

const greet =
	(text: string) =>
	({ socket }: Peer): void => {
		socket.end(text);
	};

scenario("each name is shown its certificate, and all others pass through", async (scenario) => {
	const exact = identity(scenario, "www.a.test");
	const wild = identity(scenario, "*.a.test");
	const own = identity(scenario, "own.test");
	const passing = await startTlsUpstream(scenario, own, echo);
	const inside = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(wild, ["*.a.test"])}, ${entry(exact, ["www.a.test"])}]
    routes: [{ sni: x.api.a.test, to: passing }, { sni: "*.a.test", to: inside }, { to: passing }]
upstreams: { inside: "${inside.address}", passing: "${passing.address}" }
`,
	);
	for (const [name, shown] of [
		["www.a.test", "www.a.test"],
		["WWW.A.Test", "www.a.test"],
		["api.a.test", "*.a.test"],
		// One label only, as certificates mean it.
		["x.api.a.test", "own.test"],
		["a.test", "own.test"],
		["other.test", "own.test"],
		["", "own.test"],
	] as const) {
		const goesInside = shown !== "own.test";
		const client = await dialTls(scenario, gateway.port(), name);
		assert.equal(client.shown, shown, name);
		await client.send("hello");
		await client.expect("hello");
		client.end();
		await client.rest();
		const { upstream, protocol, reason, name: logged } = await gateway.sessionOf(client);
		assert.deepEqual(
			[upstream, protocol, logged, reason],
			[goesInside ? "inside" : "passing", "tls", name === "" ? null : name.toLowerCase(), "client_closed"],
		);
	}
});

scenario("an entry for `*` takes every other name, and clients that name nothing", async (scenario) => {
	const any = identity(scenario, "any.test");
	const one = identity(scenario, "one.test");
	const inside = await startUpstream(scenario, sayName("inside"));
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(any, ["*"])}, ${entry(one, ["one.test"])}]
    routes: [{ protocol: tls, to: inside }]
upstreams: { inside: "${inside.address}" }
`,
	);
	for (const [name, shown] of [
		["one.test", "one.test"],
		["two.test", "any.test"],
		["", "any.test"],
	] as const) {
		const client = await dialTls(scenario, gateway.port(), name);
		assert.equal(client.shown, shown);
		await client.send("?");
		assert.equal(await client.rest(), "inside");
		client.end();
	}
	assert.equal((await gateway.sessions(3)).length, 3);
});

async function startInside(scenario: Scenario, more = "", routes = "{ to: inside }") {
	const certificate = identity(scenario, "a.test");
	const inside = await startUpstream(
		scenario,
		answering(() => ok("inside")),
	);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"], more)}]
    routes: [${routes}]
upstreams: { inside: { http: "http://${inside.address}" } }
`,
	);
	return { certificate, gateway };
}

scenario(
	"TLS 1.2 and 1.3 are spoken, nothing older, and nobody renegotiates",
	async (scenario) => {
		const { certificate, gateway } = await startInside(scenario);
		const connect = ["-connect", `127.0.0.1:${gateway.port()}`, "-servername", "a.test"];
		const trust = ["-CAfile", certificate.certFile, "-verify_return_error", "-verify_hostname", "a.test"];
		for (const [option, version] of [
			["-tls1_2", "TLSv1.2"],
			["-tls1_3", "TLSv1.3"],
		] as const) {
			const { stdout, output } = await run(
				"openssl",
				["s_client", "-ign_eof", ...connect, ...trust, option],
				{
					input: "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
				},
			);
			assert.match(stdout, new RegExp(`^New, ${version}, Cipher`, "m"));
			assert.match(stdout, /Verify return code: 0/);
			assert.match(output, /HTTP\/1\.1 200 OK[\s\S]*inside/);
		}
		const old = await run("openssl", ["s_client", ...connect, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
		assert.notEqual(old.status, 0);
		assert.match(old.output, /alert protocol version/);
		const again = await run("openssl", ["s_client", ...connect, "-tls1_2"], { input: "R\nQ\n" });
		assert.match(again.output, /no renegotiation|Secure Renegotiation IS NOT/i);
	},
	{ needs: ["openssl"] },
);

scenario(
	"curl checks our certificate, and speaks HTTP/1.1 whatever it would like",
	async (scenario) => {
		const { certificate, gateway } = await startInside(scenario);
		for (const option of ["--http1.1", "--http2"]) {
			const { stdout, status, output } = await run("curl", [
				...["-q", "-sS", option, "--cacert", certificate.certFile, "-w", " %{http_version}"],
				...["--connect-to", `a.test:443:127.0.0.1:${gateway.port()}`, "https://a.test/"],
			]);
			assert.equal(status, 0, output);
			assert.equal(stdout, "inside 1.1");
		}
	},
	{ needs: ["curl"] },
);

scenario(
	"ALPN: what both have is agreed on, nothing in common is refused, and [] ignores it",
	async (scenario) => {
		const { gateway } = await startInside(scenario);
		const agreed = async (port: number, ALPNProtocols?: string[]): Promise<string | false | null> => {
			const { tls } = await dialTls(scenario, port, "a.test", ALPNProtocols ? { ALPNProtocols } : {});
			tls.destroy();
			return tls.alpnProtocol;
		};
		assert.equal(await agreed(gateway.port(), ["h2", "http/1.1"]), "http/1.1");
		assert.equal(await agreed(gateway.port()), false);
		assert.equal(
			await handshakeFate(scenario, gateway.port(), "a.test", { ALPNProtocols: ["h2"] }),
			"ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
		);
		const refused = await gateway.session(({ reason }) => reason === "tls_failed");
		assert.equal(refused.name, "a.test");
		assert.equal(refused.route, null);
	},
);

scenario("routes may ask for the protocol that was agreed on", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const [two, one, none] = await Promise.all(
		["two", "one", "none"].map((name) => startUpstream(scenario, greet(name))),
	);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"], "alpn: [h2, http/1.1]")}]
    routes: [{ alpn: h2, to: two }, { alpn: http/1.1, to: one }, { to: none }]
upstreams: { two: "${two?.address}", one: "${one?.address}", none: "${none?.address}" }
`,
	);
	for (const [ALPNProtocols, expected] of [
		[["http/1.1", "h2"], "two"],
		[["http/1.1"], "one"],
		[undefined, "none"],
	] as const) {
		const client = await dialTls(scenario, gateway.port(), "a.test", {
			...(ALPNProtocols && { ALPNProtocols: [...ALPNProtocols] }),
		});
		assert.equal(await client.rest(), expected);
		client.end();
	}
});

scenario("a server that speaks first is dialled at once where the name decides", async (scenario) => {
	const certificate = identity(scenario, "mail.test");
	const mail = await startUpstream(scenario, greet("220 ready"));
	const gateway = await startGateway(
		scenario,
		`
timeouts: { silence: 50s, handshake: 60s }
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["mail.test"])}]
    routes: [{ sni: mail.test, to: mail }, { host: www.test, to: reject }, { protocol: any, to: reject }]
upstreams: { mail: "${mail.address}" }
`,
	);
	const client = await dialTls(scenario, gateway.port(), "mail.test");
	// It comes, so nothing was waited for: neither the end of the silence nor a byte.
	assert.equal(await client.rest(), "220 ready");
	client.end();
	await gateway.onlySession();
});

scenario("inside TLS, routes see what the client says there, or that it says nothing", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const names = ["ssh", "www", "other", "silent", "open"];
	const upstreams = await Promise.all(names.map((name) => startUpstream(scenario, greet(name))));
	const gateway = await startGateway(
		scenario,
		`
timeouts: { silence: 2s, handshake: 60s }
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes:
      - { protocol: ssh, to: ssh }
      - { host: www.test, to: www }
      - { protocol: other, to: other }
      - { sni: b.test, to: reject }
      - { protocol: any, to: silent }
upstreams: { ${names.map((name, index) => `${name}: "${upstreams[index]?.address}"`).join(", ")} }
`,
	);
	for (const [said, expected, protocol] of [
		["SSH-2.0-x\r\n", "ssh", "ssh"],
		["GET / HTTP/1.1\r\nHost: WWW.test:8\r\n\r\n", "www", "http"],
		["GET / HTTP/1.1\r\nHost: x.test\r\n\r\n", "silent", "http"],
		["\0\0\0", "other", "other"],
		["", "silent", "tls"],
	] as const) {
		const client = await dialTls(scenario, gateway.port(), "a.test");
		if (said !== "") await client.send(said);
		assert.equal(await client.rest(), expected, said);
		client.end();
		assert.equal((await gateway.sessionOf(client)).protocol, protocol, said);
	}
});

scenario("TLS within TLS is carried, and terminated once only", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const inner = identity(scenario, "inner.test");
	const upstream = await startTlsUpstream(scenario, inner, echo);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ host: x.test, to: reject }, { sni: a.test, to: a }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const outer = await dialTls(scenario, gateway.port(), "a.test");
	outer.socket.removeAllListeners("data");
	const client = await dialTls(scenario, 0, "a.test", { socket: outer.socket });
	assert.equal(client.shown, "inner.test");
	await client.send("deep");
	await client.expect("deep");
	client.end();
	await gateway.sessions(1);
});

scenario(
	"an OCSP response is stapled for clients who ask, and for nobody else",
	async (scenario) => {
		const authority = identity(scenario, "CA", { isAuthority: true });
		const certificate = identity(scenario, "a.test", { issuer: authority });
		const file = join(scenario.directory, "a.ocsp");
		const index = join(scenario.directory, "index.txt");
		const request = join(scenario.directory, "a.req");
		const { serialNumber } = new X509Certificate(certificate.cert.text);
		writeFileSync(index, `V\t491231235959Z\t\t${serialNumber}\tunknown\t/CN=a.test\n`);
		const made = await run("openssl", [
			...["ocsp", "-index", index, "-CA", authority.certFile, "-rsigner", authority.certFile],
			...["-rkey", authority.keyFile, "-issuer", authority.certFile, "-cert", certificate.certFile],
			...["-reqout", request, "-respout", file, "-ndays", "2", "-noverify"],
		]);
		assert.equal(made.status, 0, made.output);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"], `ocsp: "${file}"`)}]
    routes: [{ to: reject }]
`,
		);
		const connect = ["s_client", "-connect", `127.0.0.1:${gateway.port()}`, "-servername", "a.test"];
		const asks = await run("openssl", [...connect, "-status"]);
		assert.match(asks.output, /OCSP Response Status: successful[\s\S]*Cert Status: good/);
		assert.doesNotMatch((await run("openssl", connect)).output, /OCSP Response Status/);
	},
	{ needs: ["openssl"] },
);

scenario(
	"TLS that leads to requests and that no certificate is for is told so, in the alert and in the log",
	async (scenario) => {
		const certificate = identity(scenario, "www.a.test");
		const upstream = await startUpstream(
			scenario,
			answering(() => ok("")),
		);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["www.a.test"])}]
    routes: [{ sni: "*.a.test", to: web }]
upstreams: { web: { http: "http://${upstream.address}" } }
`,
		);
		assert.match(await handshakeFate(scenario, gateway.port(), "api.a.test"), /UNRECOGNIZED_NAME/);
		const { reason, name, upstream: wanted, ...session } = await gateway.onlySession();
		assert.deepEqual([reason, name, wanted], ["no_certificate", "api.a.test", "web"]);
		assert.match(
			String(Object.entries(session).find(([key]) => key === "tls_error")?.[1]),
			/no certificate of the listener is for this name/,
		);
	},
);

scenario("one route may ask for a name in the hello and for what is inside", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const serve = (name: string) =>
		startUpstream(
			scenario,
			answering(() => ok(name)),
		);
	const [api, rest] = [await serve("api"), await serve("rest")];
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["*"])}]
    routes:
      - { sni: a.test, host: "*.a.test", path: /api/, to: api }
      - { to: rest }
upstreams: { api: { http: "http://${api.address}" }, rest: { http: "http://${rest.address}" } }
`,
	);
	for (const [name, host, path, answer] of [
		["a.test", "x.a.test", "/api/1", "api"],
		["a.test", "a.test", "/api/1", "rest"],
		["a.test", "x.a.test", "/", "rest"],
		["b.test", "x.a.test", "/api/1", "rest"],
	] as const) {
		const client = await dialTls(scenario, gateway.port(), name);
		await client.send(get(path, host));
		assert.equal((await message(client)).body, answer, `${name} ${host} ${path}`);
		client.end();
		await client.rest();
	}
});
