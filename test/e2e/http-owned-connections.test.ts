/** NTLM and Negotiate authenticate a connection: it serves the client that did so alone, and ends with it. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream } from "../support/peers.js";
import { get, message, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const HEAD_END = "\r\n\r\n";

/** Knows the user of a connection from the third leg on, as servers do that authenticate so. */
function serve(scheme: string): (peer: Peer) => void {
	return ({ socket }) => {
		let rest = "";
		let who = "";
		socket.on("data", (bytes: Buffer) => {
			const heads = (rest + bytes.toString("latin1")).split(HEAD_END);
			rest = heads.pop() ?? "";
			for (const text of heads) {
				const said = /^authorization: \S+ (.*)\r?$/im.exec(text)?.[1] ?? "";
				if (said.startsWith("third-")) who = said.slice("third-".length);
				const challenge = said === "first" ? `${scheme} second` : `Basic realm="x", ${scheme}`;
				const fields = who === "" ? `WWW-Authenticate: ${challenge}\r\n` : "";
				const body = who === "" ? "" : `mail of ${who}`;
				const status = who === "" ? "401 Unauthorized" : "200 OK";
				socket.write(`HTTP/1.1 ${status}\r\n${fields}Content-Length: ${body.length}${HEAD_END}${body}`);
			}
		});
		socket.once("end", () => socket.end());
	};
}

for (const scheme of ["NTLM", "negotiate"])
	scenario(
		`${scheme}: its three legs and all that follows take one connection, which nobody else is lent`,
		async (scenario) => {
			const pool = "pool: { requests: 1 }";
			const { gateway, upstream } = await startRequests(scenario, serve(scheme), { pool });
			const ask = async (client: Peer, credentials = "") => {
				const fields = credentials === "" ? "" : `Authorization: ${scheme} ${credentials}\r\n`;
				await client.send(get("/mail", "a.test", fields));
				const { head, body } = await message(client);
				return `${head.slice(9, 12)} ${body}`;
			};
			const alice = await dial(scenario, gateway.port());
			assert.equal(await ask(alice), "401 ");
			assert.equal(await ask(alice, "first"), "401 ");
			assert.equal(await ask(alice, "third-alice"), "200 mail of alice");
			const bob = await dial(scenario, gateway.port());
			assert.equal(await ask(bob), "401 ");
			assert.equal(await ask(alice), "200 mail of alice");
			assert.equal(await ask(bob, "first"), "401 ");
			assert.equal(await ask(bob, "third-bob"), "200 mail of bob");
			assert.equal(await ask(alice), "200 mail of alice");
			assert.equal(upstream.peers.length, 2);
			alice.end();
			await alice.rest();
			// It has gone with its client.
			await gateway.metricIs("sluice_pool_recycled_total", (count) => count === 1, { reason: "owned" });
			const carol = await dial(scenario, gateway.port());
			assert.equal(await ask(carol), "401 ");
			for (const client of [bob, carol]) {
				client.end();
				await client.rest();
			}
		},
	);

scenario("a client that asks for an upstream of bytes lets its own connections go", async (scenario) => {
	const server = await startUpstream(scenario, serve("NTLM"));
	const bytes = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    routes: [{ path: /bytes, to: b }, { to: a }]
upstreams:
  a: { http: "http://127.0.0.1:${server.port}" }
  b: { addresses: "127.0.0.1:${bytes.port}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/mail", "a.test", "Authorization: NTLM first\r\n"));
	await message(client);
	await client.send(get("/bytes", "a.test"));
	const peer = await bytes.accepted();
	await gateway.metricIs("sluice_pool_recycled_total", (count) => count === 1, { reason: "owned" });
	peer.end();
	client.end();
	await client.rest();
});
