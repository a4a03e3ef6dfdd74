/** Routes that ask for a name and a password. */
import assert from "node:assert/strict";
import { hashOf } from "../../src/config/passwords.js";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, head, message, ok } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`;
const SECRET = "correct horse battery";

function config(address: string, hash = hashOf("alice", SECRET)): string {
	return `
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    log_requests: all
    routes:
      - { path: /private/, to: web, basic_auth: { alice: ${hash} } }
      - { path: /told, to: { status: 200, body: "here\\n" }, basic_auth: { alice: ${hash} } }
      - { path: /own/, to: web, basic_auth: { alice: ${hash} }, request_headers: { set: { Authorization: Bearer inner } } }
      - { path: /both/, to: web }
upstreams: { web: { http: "http://${address}" } }
`;
}

/** Says the Authorization that it got. */
const telling = answering((text) => ok(/^authorization: (.*)\r$/im.exec(text)?.[1] ?? "none"));

scenario(
	"without a good password a request is answered 401, and its connection goes on",
	async (scenario) => {
		const upstream = await startUpstream(scenario, telling);
		const gateway = await startGateway(scenario, config(upstream.address));
		const client = await dial(scenario, gateway.port());
		const ask = async (target: string, fields = ""): Promise<{ head: string; body: string }> => {
			await client.send(get(target, "a.test", fields));
			return message(client);
		};
		for (const fields of ["", basic("alice:wrong"), basic(`bob:${SECRET}`), "Authorization: Bearer x\r\n"]) {
			const { head, body } = await ask("/private/x", fields);
			assert.match(head, /^HTTP\/1\.1 401 Unauthorized\r\n/);
			assert.match(head, /^WWW-Authenticate: Basic realm="sluice", charset="UTF-8"\r$/m);
			assert.doesNotMatch(head, /^Connection: close/m);
			assert.equal(body, "a name and a password are asked for here\n");
		}
		assert.equal(upstream.peers.length, 0);
		assert.equal((await ask("/told")).head.slice(9, 12), "401");
		assert.equal((await ask("/told", basic(`alice:${SECRET}`))).body, "here\n");
		// What was said to the gateway does not go on, and what was not, does.
		assert.equal((await ask("/private/x", basic(`alice:${SECRET}`))).body, "none");
		assert.equal((await ask("/own/", basic(`alice:${SECRET}`))).body, "Bearer inner");
		assert.match((await ask("/both/", basic(`alice:${SECRET}`))).body, /^Basic /);
		await client.send(`HEAD /private/ HTTP/1.1\r\nHost: a\r\n\r\n`);
		assert.match(await head(client), /^HTTP\/1\.1 401 /);
		// A body that was not read stands in the way.
		await client.send("POST /private/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
		assert.match(await client.rest(), /^HTTP\/1\.1 401 [\s\S]*Connection: close/);
		assert.equal((await gateway.sessionOf(client)).reason, "unauthorized");

		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_requests_refused_total", { reason: "unauthorized" }), 7);
		assert.equal(metrics.sum("sluice_wrong_passwords_total"), 2);
		const [line] = gateway.log.filter(({ message }) => message === "request") as unknown as {
			readonly status: number;
			readonly reason: string;
			readonly route: string;
		}[];
		assert.deepEqual([line?.status, line?.reason, line?.route], [401, "unauthorized", "path=/private/"]);
	},
);

scenario("operators see who is asked, and no hash; a reload takes another password", async (scenario) => {
	const upstream = await startUpstream(scenario, telling);
	const gateway = await startGateway(scenario, config(upstream.address));
	const { body } = await gateway.admin("/api/config");
	assert.match(body, /"user": "alice",\s+"hash": "\(set\)"/);
	assert.doesNotMatch(body, /pw1_/);
	const explained = await gateway.admin("/api/explain?protocol=http&path=/private/x");
	assert.match(explained.body, /"users": \[\s+"alice"\s+\]/);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/private/", "a.test", basic(`alice:${SECRET}`)));
	assert.equal((await message(client)).body, "none");
	gateway.write(config(upstream.address, hashOf("alice", "another horse, another battery")));
	await gateway.hangUp();
	for (const [password, status] of [
		[SECRET, "401"],
		["another horse, another battery", "200"],
	]) {
		await client.send(get("/private/", "a.test", basic(`alice:${password}`)));
		assert.equal((await message(client)).head.slice(9, 12), status);
	}
});
