/** curl over TLS that passes through: HTTP/1.1 and HTTP/2 come out of the same Node server, by ALPN. */
import assert from "node:assert/strict";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { startGateway } from "../support/gateway.js";
import { run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { type Identity, identity } from "../support/tls.js";

const needs = ["curl"] as const;
const LARGE_BYTES = 8 * 1024 * 1024;

async function startServer(scenario: Scenario, name: string, { cert, key }: Identity): Promise<string> {
	const server: Http2SecureServer = createSecureServer(
		{ cert: cert.text, key: key.text, allowHTTP1: true },
		(request, response) => {
			let received = 0;
			request.on("data", (bytes: Buffer) => {
				received += bytes.length;
			});
			request.on("end", () => {
				if (request.url === "/large") response.end(Buffer.alloc(LARGE_BYTES, "x"));
				else response.end(`${name} HTTP/${request.httpVersion} got ${received}\n`);
			});
		},
	);
	const sessions = new Set<{ destroy(): void }>();
	server.on("session", (session) => sessions.add(session));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	scenario.defer(() => {
		for (const session of sessions) session.destroy();
		return new Promise((resolve) => server.close(resolve));
	});
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

scenario(
	"curl speaks HTTP/1.1 and HTTP/2 through the gateway, and checks the upstream's own certificate",
	async (scenario) => {
		const blueCertificate = identity(scenario, "blue.test");
		const greenCertificate = identity(scenario, "green.test");
		const blue = await startServer(scenario, "blue", blueCertificate);
		const green = await startServer(scenario, "green", greenCertificate);
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
		const curl = async (name: string, { certFile }: Identity, ...args: string[]): Promise<string> => {
			const { status, stdout, output } = await run("curl", [
				...["-q", "-sS", "--cacert", certFile],
				...["--connect-to", `${name}:443:127.0.0.1:${gateway.port()}`],
				...args,
			]);
			assert.equal(status, 0, output);
			return stdout;
		};
		assert.equal(
			await curl("blue.test", blueCertificate, "--http1.1", "https://blue.test/"),
			"blue HTTP/1.1 got 0\n",
		);
		assert.equal(
			await curl("blue.test", blueCertificate, "--http2", "https://blue.test/"),
			"blue HTTP/2.0 got 0\n",
		);
		assert.equal(
			await curl("green.test", greenCertificate, "--http2", "https://green.test/"),
			"green HTTP/2.0 got 0\n",
		);
		// Two requests over one connection are one session.
		assert.equal(
			await curl("green.test", greenCertificate, "--http1.1", "https://green.test/1", "https://green.test/2"),
			"green HTTP/1.1 got 0\ngreen HTTP/1.1 got 0\n",
		);
		const body = "@-";
		const { stdout } = await run(
			"curl",
			[
				...["-q", "-sS", "--cacert", blueCertificate.certFile, "--data-binary", body],
				...["--connect-to", `blue.test:443:127.0.0.1:${gateway.port()}`, "https://blue.test/"],
			],
			{ input: "y".repeat(1_000_000) },
		);
		assert.equal(stdout, "blue HTTP/2.0 got 1000000\n");
		const size = ["-o", "/dev/null", "-w", "%{size_download}", "https://blue.test/large"];
		assert.equal(await curl("blue.test", blueCertificate, "--http2", ...size), String(LARGE_BYTES));
		assert.equal(await curl("blue.test", blueCertificate, "--http1.1", ...size), String(LARGE_BYTES));

		const sessions = await gateway.sessions(7);
		assert.equal(sessions.length, 7);
		for (const { protocol, name, upstream, reason } of sessions) {
			assert.deepEqual([protocol, `${String(upstream)}.test`], ["tls", name]);
			assert.ok(["client_closed", "upstream_closed", "client_reset"].includes(reason), reason);
		}
	},
	{ needs },
);
