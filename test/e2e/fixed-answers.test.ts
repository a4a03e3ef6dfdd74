/** Requests that a route answers by itself: sent elsewhere, or told a status and a text. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

scenario("redirects keep host, path and query, and the connection goes on", async (scenario) => {
	const upstream = await startUpstream(scenario, () => {});
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { path: /old/, to: { redirect: "https://new.example:8443", status: 302 } }
      - { path: /gone, to: { redirect: "https://www.example/moved?x=1", status: 301 } }
      - { path: /down/, to: { status: 503, body: "back at noon\\n", content_type: text/html } }
      - { path: /empty, to: { status: 204 } }
      - { host: never.example, to: a }
      - { to: { redirect: https } }
upstreams: { a: { http: "http://${upstream.address}" } }
`,
	);
	const client = await dial(scenario, gateway.port());
	const ask = (method: string, target: string): void => {
		client.socket.write(`${method} ${target} HTTP/1.1\r\nHost: Www.Example:8080\r\n\r\n`);
	};
	const moved = (status: string, location: string): string =>
		`HTTP/1.1 ${status}\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;
	for (const [target, answer] of [
		["/a/b?c=d%20e", moved("308 Permanent Redirect", "https://www.example/a/b?c=d%20e")],
		["http://other.example/x", moved("308 Permanent Redirect", "https://other.example/x")],
		["/old/x?y", moved("302 Found", "https://new.example:8443/old/x?y")],
		["/gone", moved("301 Moved Permanently", "https://www.example/moved?x=1")],
		[
			"/down/a",
			"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\nback at noon\n",
		],
		["/empty", "HTTP/1.1 204 No Content\r\n\r\n"],
	] as const) {
		ask("GET", target);
		await client.expect(answer);
	}
	ask("HEAD", "/down/a");
	await client.expect(
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n",
	);
	// Its body was not read, so nothing on the connection can be trusted behind it.
	client.socket.write("POST /down/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc");
	assert.match(await client.rest(), /^HTTP\/1\.1 503 .*Connection: close\r\n\r\nback at noon\n$/s);
	client.end();
	assert.equal(upstream.peers.length, 0);
	const metrics = await gateway.metrics();
	assert.equal(metrics.sum("sluice_requests_total", { status: "3xx" }), 4);
	assert.equal(metrics.sum("sluice_requests_refused_total", { reason: "rejected" }), 3);
	assert.equal((await gateway.onlySession()).reason, "rejected");
});
