/** Real DTLS clients are routed by the name in their hello to real servers, which ask for a cookie first. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { LOOPBACK } from "../support/peers.js";
import { type Child, start } from "../support/processes.js";
import { routing } from "../support/quic/gateway.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

interface Server {
	readonly child: Child;
	readonly port: number;
}

/** Each passes on what is written to its input. `listen`: the client has to come a second time, with the cookie that it was sent. */
async function startServer(scenario: Scenario, name: string): Promise<Server> {
	const { certFile, keyFile } = identity(scenario, name);
	const files = ["-cert", certFile, "-key", keyFile];
	const child = start(scenario, "openssl", [
		"s_server",
		"-dtls",
		"-listen",
		"-accept",
		`${LOOPBACK}:0`,
		...files,
	]);
	const [, port] = await child.printed(/ACCEPT \S+:(\d+)/);
	return { child, port: Number(port) };
}

function startClient(scenario: Scenario, port: number, name: string): Child {
	const where = ["-connect", `${LOOPBACK}:${port}`, "-servername", name];
	return start(scenario, "openssl", ["s_client", "-dtls", "-quiet", ...where]);
}

scenario(
	"OpenSSL's DTLS clients reach the server of the name that they ask for, by way of its cookie",
	async (scenario) => {
		const a = await startServer(scenario, "a.test");
		const b = await startServer(scenario, "b.test");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: ${LOOPBACK}:0/udp
    timeouts: { idle: 20s }
    routes:
      - { sni: a.test, to: a }
      - { protocol: dtls, sni: b.test, to: b }
upstreams: { a: { udp: "${LOOPBACK}:${a.port}" }, b: { udp: "${LOOPBACK}:${b.port}" } }
`,
		);
		for (const [name, server] of Object.entries({ a, b })) {
			const client = startClient(scenario, gateway.port(), `${name}.test`);
			await client.printed(new RegExp(`CN = ${name}\\.test`));
			client.process.stdin?.write(`asked of ${name}\n`);
			await server.child.printed(new RegExp(`asked of ${name}`));
			server.child.process.stdin?.write(`told by ${name}\n`);
			await client.printed(new RegExp(`told by ${name}`));
			await client.stop();
		}
		const lines = await gateway.closedSessions(2);
		assert.deepEqual(lines.map(routing), ["dtls a.test a", "dtls b.test b"]);
	},
	{ needs: ["openssl"] },
);
