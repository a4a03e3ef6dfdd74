/** The QUIC peers of tests, without a gateway between them: what fails here is a fault of theirs, or of the NAT. */
import assert from "node:assert/strict";
import { titleOverHttp3 } from "./quic/chromium.js";
import { ask, startQuicServer, sumOf, whoByCurl } from "./quic/peers.js";
import { scenario } from "./scenario.js";
import { startNat } from "./udp-nat.js";

const STACKS = ["quic-go", "aioquic"] as const;
const BOTH = { needs: STACKS };

for (const stack of STACKS) {
	scenario(
		`both clients reach the ${stack} server: version 2, Retry, a second connection with its request in the first flight`,
		async (scenario) => {
			const server = await startQuicServer(scenario, stack, "a");
			const strict = await startQuicServer(scenario, stack, "strict", { retry: true });
			for (const client of STACKS) {
				const asked = { port: server.port, name: "a.test", bytes: 100_000 };
				const [first, second] = await ask(scenario, client, { ...asked, zeroRtt: true });
				assert.deepEqual([first?.server, first?.sha256, first?.version], ["a", sumOf(100_000), 1]);
				assert.deepEqual([second?.resumed, second?.early, second?.bytes], [true, true, 100_000]);
				const [other] = await ask(scenario, client, { ...asked, v2: true, datagrams: 1 });
				assert.deepEqual([other?.version, other?.postQuantum], [2, false]);
				const [proved] = await ask(scenario, client, { ...asked, port: strict.port, datagrams: 2 });
				assert.deepEqual([proved?.server, proved?.sha256], ["strict", sumOf(100_000)]);
			}
		},
		BOTH,
	);

	scenario(
		`both clients go on with the ${stack} server when their port or their NAT's has changed, over a bad line`,
		async (scenario) => {
			const server = await startQuicServer(scenario, stack, "a");
			const faults = { lost: 0.01, doubled: 0.01, reordered: 0.01 };
			for (const client of STACKS) {
				const nat = await startNat(scenario, server.port, { ...faults, seed: 11 });
				const options = { port: nat.port, name: "a.test", bytes: 2_000_000, rebind: true };
				const asked = ask(scenario, client, options);
				await nat.until(() => nat.down.came >= 300);
				await nat.rebind();
				const [answer] = await asked;
				assert.equal(answer?.sha256, sumOf(2_000_000));
				const { lost, doubled, reordered } = nat.down;
				for (const count of [lost, doubled, reordered]) assert.ok(count > 0);
			}
		},
		BOTH,
	);
}

scenario(
	"Chromium and curl load a page over HTTP/3 from the quic-go server",
	async (scenario) => {
		const server = await startQuicServer(scenario, "quic-go", "a");
		assert.equal(await titleOverHttp3(scenario, server.port, { "a.test": server }), "a over HTTP/3.0");
		assert.deepEqual([server.of("accepted")[0]?.sni, server.of("accepted")[0]?.alpn], ["a.test", "h3"]);
		assert.equal(await whoByCurl(scenario, server.port, "a.test"), "a over HTTP/3.0");
	},
	{ needs: ["quic-go", "chromium", "curl_cffi"] },
);
