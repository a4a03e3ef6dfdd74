/** A browser and curl over HTTP/3 through the gateway, to two sites behind one port. */
import assert from "node:assert/strict";
import { titleOverHttp3 } from "../support/quic/chromium.js";
import { routing, startQuicGateway } from "../support/quic/gateway.js";
import { type QuicServer, startQuicServer, whoByCurl } from "../support/quic/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function startSites(scenario: Scenario): Promise<{ readonly a: QuicServer; readonly b: QuicServer }> {
	const start = (name: string): Promise<QuicServer> => startQuicServer(scenario, "quic-go", name);
	const [a, b] = await Promise.all([start("a"), start("b")]);
	return { a, b };
}

const A = "quic a.test a";
const B = "quic b.test b";

scenario(
	"Chromium loads a page and what its script asks for over HTTP/3, from two sites behind one port",
	async (scenario) => {
		const { a, b } = await startSites(scenario);
		const gateway = await startQuicGateway(scenario, { a, b });
		const title = await titleOverHttp3(scenario, gateway.port(), { "a.test": a, "b.test": b });
		assert.equal(title, "a over HTTP/3.0; b over HTTP/3.0");
		for (const server of [a, b]) for (const { alpn } of server.of("accepted")) assert.equal(alpn, "h3");
		// Browsers open spare connections, so there may be more of them.
		const lines = new Set((await gateway.closedSessions(2)).map(routing));
		assert.deepEqual(lines, new Set([A, B]));
	},
	{ needs: ["quic-go", "chromium"] },
);

scenario(
	"curl reaches the site of the name that it asks for over HTTP/3",
	async (scenario) => {
		const gateway = await startQuicGateway(scenario, await startSites(scenario));
		for (const name of ["a", "b"])
			assert.equal(await whoByCurl(scenario, gateway.port(), `${name}.test`), `${name} over HTTP/3.0`);
		assert.deepEqual((await gateway.closedSessions(2)).map(routing), [A, B]);
	},
	{ needs: ["quic-go", "curl_cffi"] },
);
