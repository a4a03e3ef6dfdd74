/** What changes around a session of QUIC while it lives: the configuration, the gateway's end, its server's end. */
import assert from "node:assert/strict";
import { quicConfig, startQuicGateway } from "../support/quic/gateway.js";
import { ask, startQuicServer, sumOf } from "../support/quic/peers.js";
import { scenario } from "../support/scenario.js";
import { deadPort } from "../support/udp-ends.js";
import { startNat } from "../support/udp-nat.js";

const NEEDS = { needs: ["quic-go"] as const };

const BYTES = 2_000_000;
const SUM = sumOf(BYTES);

/** So many datagrams of a download have passed: a tenth of it. */
const UNDER_WAY = 150;

scenario(
	"a download goes on over reloads, also when no route leads to its server any more",
	async (scenario) => {
		const a = await startQuicServer(scenario, "quic-go", "a");
		const gateway = await startQuicGateway(scenario, { a });
		const nat = await startNat(scenario, gateway.port());
		const download = ask(scenario, "quic-go", { port: nat.port, name: "a.test", bytes: BYTES });
		const other = quicConfig({ b: [a.port] });
		for (const [index, yaml] of [gateway.yaml, other, other].entries()) {
			await nat.until(() => nat.down.came >= UNDER_WAY * (index + 1));
			gateway.write(yaml);
			assert.equal((await gateway.hangUp()).message, "reloaded");
		}
		assert.equal((await download)[0]?.sha256, SUM);
		const [answer] = await ask(scenario, "quic-go", { port: gateway.port(), name: "b.test" });
		assert.equal(answer?.server, "a");
		// Both are alive until then.
		const lines = await gateway.closedSessions(2);
		assert.deepEqual(
			lines.map(({ name, upstream, reason }) => [name, upstream, reason]),
			["a", "b"].map((name) => [`${name}.test`, name, "operator"]),
		);
	},
	NEEDS,
);

scenario(
	"a gateway that drains lets a download finish, and ends when it has been silent for long enough",
	async (scenario) => {
		const a = await startQuicServer(scenario, "quic-go", "a");
		const gateway = await startQuicGateway(
			scenario,
			{ a },
			{ sections: "timeouts: { drain: 1h }", idle: "2s" },
			{ own: "it is ended" },
		);
		const nat = await startNat(scenario, gateway.port());
		const download = ask(scenario, "quic-go", { port: nat.port, name: "a.test", bytes: BYTES });
		await nat.until(() => nat.down.came >= UNDER_WAY);
		gateway.child.signal("SIGTERM");
		assert.equal((await download)[0]?.sha256, SUM);
		assert.equal(await gateway.exit(), 0);
		assert.equal((await gateway.onlySession()).reason, "idle_timeout");
	},
	NEEDS,
);

scenario(
	"a client whose first address refuses datagrams reaches the second one of its upstream",
	async (scenario) => {
		const a = await startQuicServer(scenario, "quic-go", "a");
		const gateway = await startQuicGateway(scenario, { a: [await deadPort(), a.port] });
		for (let time = 0; time < 2; time++) {
			const [answer] = await ask(scenario, "quic-go", { port: gateway.port(), name: "a.test" });
			assert.equal(answer?.server, "a");
		}
		for (const { address } of await gateway.closedSessions(2)) assert.equal(address, `127.0.0.1:${a.port}`);
	},
	NEEDS,
);

scenario(
	"a session whose server dies is over at once",
	async (scenario) => {
		const a = await startQuicServer(scenario, "quic-go", "a");
		const gateway = await startQuicGateway(scenario, { a });
		const nat = await startNat(scenario, gateway.port());
		// Nobody tells the client: it gives up by itself, or with the scenario.
		ask(scenario, "quic-go", { port: nat.port, name: "a.test", bytes: 10 * BYTES }).catch(() => {});
		await nat.until(() => nat.down.came >= UNDER_WAY);
		await a.child.stop("SIGKILL");
		assert.equal((await gateway.onlySession()).reason, "upstream_reset");
	},
	NEEDS,
);

scenario(
	"a client that begins with an unknown version of QUIC is led to a server that tells it which ones it speaks",
	async (scenario) => {
		const a = await startQuicServer(scenario, "quic-go", "a");
		const b = await startQuicServer(scenario, "quic-go", "b");
		const gateway = await startQuicGateway(
			scenario,
			{ a, b },
			{ listener: "unknown_versions: route", route: "{ protocol: quic, to: b }" },
		);
		const asked = { port: gateway.port(), name: "b.test", oddVersion: true, bytes: 1_000 };
		const [answer] = await ask(scenario, "aioquic", asked);
		assert.deepEqual([answer?.server, answer?.version, answer?.sha256], ["b", 1, sumOf(1_000)]);
	},
	{ needs: ["quic-go", "aioquic"] },
);
