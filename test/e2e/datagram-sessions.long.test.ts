/** A hundred thousand sessions of datagrams, nine thousand at once: what they held is there for the next ones, and at the end nothing is held. */
import assert from "node:assert/strict";
import type { CrowdNews, CrowdOrder, DatagramUpstreamNews } from "../../src/drill/messages.js";
import { sayings, toBase64 } from "../../src/drill/traffic.js";
import { Helper } from "../../src/rig/helper.js";
import { countDescriptors, residentBytes } from "../../src/rig/proc.js";
import { difference } from "../support/descriptors.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { growth } from "../support/growth.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const AT_ONCE = 9_000;
const ROUNDS = 12;

/** Of the reactors' heaps, the least in each half of the rounds: 54,000 sessions lie between the two, which is 39 bytes each. */
const HEAP_DRIFT_MAX_BYTES = 2 * 1_048_576;
/** The main thread's heap grows for minutes before a whole collection takes what has become old in it. */
const RESIDENT_DRIFT_MAX_BYTES = 8 * 1_048_576;

/** What a gateway's memory is after a round. */
interface Memory {
	readonly residentBytes: number;
	/** Of all reactors. */
	readonly heapBytes: number;
	readonly externalBytes: number;
}

async function memoryOf(gateway: Gateway): Promise<Memory> {
	const metrics = await gateway.metrics();
	const ofReactors = (name: string): number =>
		metrics
			.find(name)
			.filter(({ labels }) => labels["thread"]?.startsWith("reactor"))
			.reduce((sum, { value }) => sum + value, 0);
	return {
		residentBytes: residentBytes(gateway.pid),
		heapBytes: ofReactors("sluice_thread_heap_bytes"),
		externalBytes: ofReactors("sluice_thread_external_bytes"),
	};
}

function mebibytes(memory: readonly Memory[], read: (each: Memory) => number): string {
	return memory.map((each) => (read(each) / 1_048_576).toFixed(1)).join(", ");
}

/** Of the time in which all came once. On a machine with nothing else to do they are there within a third of a second. */
const SLACK = 6;
/** A machine that was busy with something else in the first round need not wait so long in each of the others. */
const IDLE_MAX_S = 15;

function configuration(upstreamPort: number, idleSeconds: number): string {
	return `
log: { sessions: false }
reactors: 2
listeners:
  - listen: 127.0.0.1:0/udp
    timeouts: { idle: ${idleSeconds}s }
    routes:
      - { protocol: quic, to: upstream }
      - { protocol: other, to: upstream }
upstreams: { upstream: { udp: "127.0.0.1:${upstreamPort}" } }
`;
}

function startHelper<Order, News>(scenario: Scenario, file: string, args: readonly string[]) {
	const script = new URL(`../../src/drill/${file}`, import.meta.url);
	const helper = new Helper<Order, News>(script, { args });
	scenario.defer(() => helper.stop());
	return helper;
}

/** Sessions in the table, found by their client, found by connection IDs. */
async function held(gateway: Gateway): Promise<readonly [number, number, number]> {
	const metrics = await gateway.metrics();
	return [
		metrics.sum("sluice_connections_active"),
		metrics.sum("sluice_datagram_flows"),
		metrics.sum("sluice_connection_ids"),
	];
}

function holds(gateway: Gateway, wanted: readonly [number, number, number]): Promise<true> {
	let found: readonly number[] = [];
	return eventually(
		async () => {
			found = await held(gateway);
			return found.join() === wanted.join() ? true : undefined;
		},
		() => `it holds ${found.join(", ")} where ${wanted.join(", ")} was waited for`,
	);
}

/** So many sockets more than before, and nothing else. Thousands of names are read when their number is right, and not before. */
async function hasSockets(gateway: Gateway, before: readonly string[], sockets: number): Promise<void> {
	const wanted = before.length + sockets;
	await eventually(
		() => (countDescriptors([gateway.pid]) === wanted ? true : undefined),
		() => `${countDescriptors([gateway.pid])} descriptors where ${wanted} were waited for`,
	);
	assert.equal(difference(before, gateway.descriptors(), 0, sockets).slice(0, 500), "");
}

scenario(
	`${ROUNDS * AT_ONCE} sessions of datagrams, ${AT_ONCE} at once, leave table, descriptors and memory as they were`,
	async (scenario) => {
		const upstream = startHelper<never, DatagramUpstreamNews>(scenario, "datagram-upstream.js", [
			"attackers",
		]);
		const crowd = startHelper<CrowdOrder, CrowdNews>(scenario, "datagram-crowd.js", []);
		const { port: upstreamPort } = await upstream.next();
		const { hello } = await sayings("good");
		const gateway = await startGateway(scenario, configuration(upstreamPort, 1), {
			own: "its memory is looked at",
		});
		const before = gateway.descriptors();
		const come = async (isQuic: boolean): Promise<CrowdNews> => {
			const where = { address: "127.0.0.1", port: gateway.port(), count: AT_ONCE };
			crowd.order(isQuic ? { ...where, hello: toBase64(hello) } : where);
			const news = await crowd.next();
			assert.equal(news.came, AT_ONCE);
			return news;
		};
		const gone = async (): Promise<void> => {
			// Looked at from outside first: each page of metrics leaves something to its collector.
			await hasSockets(gateway, before, 0);
			await holds(gateway, [0, 0, 0]);
		};
		// They must all be there before the first of them is silent for too long.
		const { firstMs, lastMs } = await come(true);
		await gone();
		// With so short a deadline whoever was not answered in time says it again when his session is over, and begins another.
		const endedBefore = (await gateway.metrics()).sum("sluice_sessions_closed_total");
		assert.ok(endedBefore >= AT_ONCE);
		const wantedSeconds = Math.ceil((SLACK * (lastMs - firstMs)) / 1000);
		const idleSeconds = Math.min(IDLE_MAX_S, Math.max(1, wantedSeconds));
		gateway.write(configuration(upstreamPort, idleSeconds));
		await gateway.hangUp();
		const memory: Memory[] = [];
		for (let round = 0; round < ROUNDS; round++) {
			const isQuic = round % 2 === 0;
			await come(isQuic);
			assert.deepEqual(await held(gateway), [AT_ONCE, AT_ONCE, isQuic ? AT_ONCE : 0]);
			await hasSockets(gateway, before, AT_ONCE);
			await gone();
			memory.push(await memoryOf(gateway));
		}
		const metrics = await gateway.metrics();
		const ended = endedBefore + ROUNDS * AT_ONCE;
		assert.equal(metrics.sum("sluice_sessions_closed_total"), ended);
		assert.equal(metrics.sum("sluice_sessions_closed_total", { reason: "idle_timeout" }), ended);
		assert.equal(metrics.sum("sluice_ledger_discrepancy"), 0);
		assert.equal(metrics.sum("sluice_buffered_bytes"), 0);
		const resident = (each: Memory): number => each.residentBytes;
		const heap = (each: Memory): number => each.heapBytes;
		scenario.context.diagnostic(
			`${ended} sessions, idle: ${idleSeconds}s; resident ${mebibytes(memory, resident)} MiB; heaps of reactors ${mebibytes(memory, heap)} MiB`,
		);
		// Tables are taken once, and nothing else is outside of the heaps.
		assert.equal(new Set(memory.map(({ externalBytes }) => externalBytes)).size, 1);
		assert.ok(growth(memory.map(heap)) <= HEAP_DRIFT_MAX_BYTES, `${growth(memory.map(heap))} bytes of heap`);
		assert.ok(
			growth(memory.map(resident)) <= RESIDENT_DRIFT_MAX_BYTES,
			`${growth(memory.map(resident))} bytes resident`,
		);
	},
	// On a machine with other work each round takes as long as nine thousand sessions take to come, three times over.
	{ mostMs: 900_000 },
);
