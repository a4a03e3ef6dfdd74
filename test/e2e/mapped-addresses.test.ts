/** An IPv4 client that a PROXY header dresses as IPv6 (::ffff:10.1.2.3) is the same client. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

const MAPPED = "00000000000000000000ffff";

const HEADERS: readonly (readonly [string, Buffer])[] = [
	["v1", Buffer.from("PROXY TCP6 ::ffff:10.1.2.3 ::ffff:10.9.8.7 1000 2000\r\n")],
	["v1, in hexadecimal groups", Buffer.from("PROXY TCP6 ::ffff:a01:203 ::ffff:a09:807 1000 2000\r\n")],
	[
		"v2",
		// Signature, PROXY, TCP over IPv6, 36 bytes: source, destination, both ports.
		Buffer.from(
			`0d0a0d0a000d0a515549540a${"21210024"}${MAPPED}0a010203${MAPPED}0a090807${"03e807d0"}`,
			"hex",
		),
	],
];

for (const [kind, header] of HEADERS) {
	scenario(
		`a mapped address (${kind}) is IPv4 to routes, to the log and to the upstream`,
		async (scenario) => {
			const upstream = await startUpstream(scenario);
			const gateway = await startGateway(
				scenario,
				`
listeners:
  - listen: 127.0.0.1:0
    proxy_protocol: require
    trusted: [127.0.0.0/8]
    routes: [{ source: "::/0", to: reject }, { source: 10.0.0.0/8, to: a }, { to: reject }]
upstreams: { a: { addresses: "${upstream.address}", proxy_protocol: v1 } }
`,
			);
			const client = await dial(scenario, gateway.port());
			client.end(Buffer.concat([header, Buffer.from("hello")]));
			const server = await upstream.accepted();
			assert.equal(await server.rest(), "PROXY TCP4 10.1.2.3 10.9.8.7 1000 2000\r\nhello");
			server.end();
			const session = await gateway.onlySession();
			assert.deepEqual(
				[session.source, session.route, session.upstream, session.reason],
				["10.1.2.3:1000", "source=10.0.0.0/8", "a", "client_closed"],
			);
		},
	);
}
