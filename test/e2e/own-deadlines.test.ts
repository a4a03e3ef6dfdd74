/** Timeouts of listeners, upstreams and routes beside each other: each session ends by its own. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

const SSH = "SSH-2.0-test\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

scenario("an SSH session outlives the idle of HTTP beside it", async (scenario) => {
	const { address } = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { idle: 300ms }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { protocol: ssh, to: a, timeouts: { idle: 1h } }
      - { protocol: http, to: a }
upstreams: { a: "${address}" }
`,
	);
	const ssh = await dial(scenario, gateway.port());
	ssh.socket.write(SSH);
	await ssh.expect(SSH);
	const http = await dial(scenario, gateway.port());
	http.socket.write(GET);
	assert.equal(await http.rest(), GET);
	const session = await gateway.onlySession();
	assert.deepEqual([session.reason, session.route], ["idle_timeout", "protocol=http"]);
	ssh.socket.write("still there");
	await ssh.expect("still there");
	ssh.end();
	await ssh.rest();
});

scenario("an upstream's timeouts hold for all that leads to it, a route's before them", async (scenario) => {
	const { address } = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { idle: 1h }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { protocol: ssh, to: quick }
      - { protocol: http, to: quick, timeouts: { idle: 1h, lifetime: 400ms } }
upstreams: { quick: { addresses: "${address}", timeouts: { idle: 250ms } } }
`,
	);
	const ssh = await dial(scenario, gateway.port());
	ssh.socket.write(SSH);
	assert.equal(await ssh.rest(), SSH);
	assert.equal((await gateway.onlySession()).reason, "idle_timeout");
	const http = await dial(scenario, gateway.port());
	http.socket.write(GET);
	await http.over();
	assert.deepEqual(
		(await gateway.sessions(2)).map(({ reason }) => reason),
		["idle_timeout", "lifetime"],
	);
});

scenario(
	"a request has its route's deadlines until it is answered, and then its listener's",
	async (scenario) => {
		const upstream = await startUpstream(scenario, (peer) => {
			peer.socket.on("data", (bytes) => {
				if (String(bytes).includes("/quick")) peer.socket.write(OK);
			});
		});
		const gateway = await startGateway(
			scenario,
			`
timeouts: { response_head: 1h, keep_alive: 1h }
listeners:
  - listen: 127.0.0.1:0
    timeouts: { keep_alive: 300ms }
    routes:
      - { path: /slow/, to: a, timeouts: { response_head: 250ms } }
      - { to: a }
upstreams: { a: { http: "http://${upstream.address}" } }
`,
		);
		const client = await dial(scenario, gateway.port());
		client.socket.write("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
		await client.expect(OK);
		client.socket.write("GET /slow/ HTTP/1.1\r\nHost: a\r\n\r\n");
		assert.match(await client.rest(), /^HTTP\/1\.1 504 /);
		// Answered, it goes on with its listener's deadlines, and nothing more is asked.
		assert.equal((await gateway.onlySession()).reason, "idle_timeout");
	},
);
