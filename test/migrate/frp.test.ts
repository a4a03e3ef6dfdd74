/** docs/migrate/frp.md: its gateway and its agent, as processes, and a visitor of each kind of tunnel. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { newToken, readToken } from "../../src/tunnel/keys.js";
import { datagramPeer } from "../support/datagrams.js";
import { startGateway } from "../support/gateway.js";
import {
	askBytes,
	askHttp,
	askTls,
	exampleOnLoopback,
	exampleText,
	freePortNumber,
	headerV2,
	namedDatagrams,
	namedHttp,
	namedProxied,
	namedTls,
} from "../support/migration.js";
import { LOOPBACK } from "../support/peers.js";
import { start } from "../support/processes.js";
import { scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

/** Where agents connect to, behind the two listeners. */
const AGENTS = 2;
const portOf = (address: string): string => address.split(":").at(-1) ?? "";

scenario("the example of the guide from frp does what it says", async (scenario) => {
	const { certFile, keyFile } = identity(scenario, "localhost");
	const token = newToken("office");
	const publicKey = Buffer.from(readToken(token).publicKey).toString("base64url");
	const [written = ""] = /(?<=public_key: )\S+/.exec(exampleText("frp.yaml")) ?? [];
	// One number for a port of TCP and one of UDP.
	const port = String(await freePortNumber());
	const yaml = exampleOnLoopback("frp.yaml", {
		"127.0.0.1:9090": `${LOOPBACK}:0`,
		"0.0.0.0:4443": `${LOOPBACK}:0`,
		"0.0.0.0:443": `${LOOPBACK}:0`,
		"0.0.0.0:80": `${LOOPBACK}:0`,
		"/etc/sluice/gw.pem": certFile,
		"/etc/sluice/gw.key": keyFile,
		[written]: publicKey,
		"20000-20099": port,
		"20000-20009": port,
	});
	const gateway = await startGateway(scenario, yaml, { own: "agents connect to its ports" });
	const tokenFile = join(scenario.directory, "office.token");
	writeFileSync(tokenFile, token, { mode: 0o600 });
	const file = join(scenario.directory, "agent.yaml");
	const local = {
		app: portOf(await namedHttp(scenario, "app")),
		secure: portOf(await namedTls(scenario, "secure")),
		imap: portOf(await namedProxied(scenario, "imap", headerV2)),
		dns: portOf(await namedDatagrams(scenario, "dns")),
	};
	writeFileSync(
		file,
		exampleOnLoopback("frp-agent.yaml", {
			"gw.example.com:4443": `localhost:${gateway.port(AGENTS)}`,
			"/etc/sluice/ca.pem": certFile,
			"/etc/sluice/office.token": tokenFile,
			"http: 3000": `http: "${LOOPBACK}:${local.app}"`,
			"tls: 8443": `tls: "${LOOPBACK}:${local.secure}"`,
			"tcp: 143": `tcp: "${LOOPBACK}:${local.imap}"`,
			"udp: 53": `udp: "${LOOPBACK}:${local.dns}"`,
			"20001": port,
			"20002": port,
		}),
	);
	const agent = start(scenario, { path: process.execPath }, [MAIN, "tunnel", "-c", file]);
	for (const name of ["app", "secure", "imap", "dns/udp"])
		await agent.printed(new RegExp(`"event":"tunnel_opened","tunnel":"${name}"`));

	const at = (listener: number) => ({ host: LOOPBACK, port: gateway.port(listener) });
	const visited = {
		app: await askHttp(scenario, at(1), { name: "app.example.com" }),
		secure: await askTls(scenario, at(0), "secure.example.com"),
		"a name of nobody": await askTls(scenario, at(0), "other.example.com"),
		imap: await askBytes(scenario, { host: LOOPBACK, port: Number(port) }),
	};
	assert.deepEqual(visited, {
		app: "200 app over http",
		secure: "secure",
		"a name of nobody": "refused",
		imap: "imap for 127.0.0.1",
	});
	const visitor = await datagramPeer(scenario);
	visitor.send("a question", Number(port));
	assert.equal(await visitor.text(), "dns has a question");

	// It would wait for the visitor who sends datagrams, of whom nobody says that he has gone.
	agent.signal("SIGTERM");
	await agent.printed(/"event":"draining"/);
	agent.signal("SIGTERM");
	assert.equal(await agent.exited, 130, agent.output);
	await gateway.closedSessions(0);
});
