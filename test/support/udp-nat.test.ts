/** The NAT of tests: what it lets through, where it comes from, and that a seed decides what becomes of it. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { descriptorsOf } from "./descriptors.js";
import { LOOPBACK } from "./peers.js";
import { type Scenario, scenario } from "./scenario.js";
import { type NatOptions, startNat, type UdpNat } from "./udp-nat.js";
import { Changes } from "./waiting.js";

/** A socket, what came there, and from which ports. */
class End {
	readonly socket: Socket = createSocket("udp4");
	readonly texts: string[] = [];
	readonly ports: number[] = [];
	readonly #changes = new Changes();

	constructor() {
		this.socket.on("message", (bytes, { port }) => {
			this.texts.push(bytes.toString());
			this.ports.push(port);
			this.#changes.announce();
		});
	}

	get port(): number {
		return this.socket.address().port;
	}

	/** Resolves when the kernel has it. */
	send(text: string, port: number): Promise<void> {
		return new Promise((resolve, reject) =>
			this.socket.send(text, port, LOOPBACK, (error) => (error === null ? resolve() : reject(error))),
		);
	}

	async came(count: number): Promise<void> {
		await this.#changes.until(
			() => (this.texts.length >= count ? true : undefined),
			() => `${count} datagrams; ${this.texts.length} came`,
		);
	}
}

async function openEnd(scenario: Scenario): Promise<End> {
	const end = new End();
	end.socket.bind(0, LOOPBACK);
	await once(end.socket, "listening");
	scenario.defer(() => end.socket.close());
	return end;
}

interface Ends {
	readonly nat: UdpNat;
	readonly client: End;
	readonly server: End;
}

async function openEnds(scenario: Scenario, options?: NatOptions): Promise<Ends> {
	const [client, server] = [await openEnd(scenario), await openEnd(scenario)];
	return { nat: await startNat(scenario, server.port, options), client, server };
}

scenario(
	"a client keeps its outer port until it is given another, and what comes to the old one is dropped",
	async (scenario) => {
		const { nat, client, server } = await openEnds(scenario);
		await client.send("one", nat.port);
		await server.came(1);
		await client.send("two", nat.port);
		await server.came(2);
		const [before = 0] = server.ports;
		assert.deepEqual(server.ports, [before, before]);
		await server.send("back", before);
		await client.came(1);
		await nat.rebind();
		await client.send("three", nat.port);
		await server.came(3);
		const after = server.ports[2] ?? 0;
		assert.notEqual(after, before);
		assert.deepEqual(nat.outerPorts, [after]);
		await server.send("lost", before);
		await server.send("found", after);
		await client.came(2);
		assert.deepEqual(client.texts, ["back", "found"]);
		assert.deepEqual([...new Set(client.ports)], [nat.port]);
		assert.deepEqual([nat.up.came, nat.down.came, nat.down.stale], [3, 2, 1]);
	},
);

scenario("clients have outer ports of their own", async (scenario) => {
	const { nat, client, server } = await openEnds(scenario);
	const other = await openEnd(scenario);
	await client.send("mine", nat.port);
	await other.send("theirs", nat.port);
	await server.came(2);
	for (const [index, port] of server.ports.entries()) await server.send(`to ${server.texts[index]}`, port);
	await client.came(1);
	await other.came(1);
	assert.deepEqual([client.texts, other.texts], [["to mine"], ["to theirs"]]);
});

const MANY = 2_000;

/** Sends many, one after the other so that no buffer overflows, and returns what came of them. */
async function sendMany(scenario: Scenario, options: NatOptions): Promise<Ends> {
	const ends = await openEnds(scenario, options);
	const { nat, client, server } = ends;
	for (let index = 0; index < MANY; index++) {
		await client.send(String(index), nat.port);
		await nat.until(() => nat.up.came > index);
	}
	// The last one may be held back; it comes all the same.
	await server.came(MANY - nat.up.lost + nat.up.doubled);
	return ends;
}

scenario(
	"a share is lost, comes twice or behind the next one, and everything else comes once and in order",
	async (scenario) => {
		const { nat, server } = await sendMany(scenario, { lost: 0.1, doubled: 0.1, reordered: 0.1, seed: 7 });
		const { came, lost, doubled, reordered } = nat.up;
		const numbers = server.texts.map(Number);
		assert.equal(came, MANY);
		for (const share of [lost, doubled, reordered]) assert.ok(share > 140 && share < 260, String(share));
		assert.equal(numbers.length, MANY - lost + doubled);
		assert.equal(new Set(numbers).size, MANY - lost);
		const behind = numbers.filter((number, index) => number < (numbers[index - 1] ?? 0)).length;
		assert.ok(behind > 0 && behind <= reordered, `${behind} of ${reordered}`);
		const again = await sendMany(scenario, { lost: 0.1, doubled: 0.1, reordered: 0.1, seed: 7 });
		assert.deepEqual(again.nat.up, nat.up);
		const other = await sendMany(scenario, { lost: 0.1, doubled: 0.1, reordered: 0.1, seed: 8 });
		assert.notDeepEqual(other.nat.up, nat.up);
	},
);

scenario("without faults nothing is lost, and it leaves no descriptor behind", async (scenario) => {
	const before = descriptorsOf(process.pid).length;
	// The last to run: when all have closed.
	scenario.defer(() => assert.equal(descriptorsOf(process.pid).length, before));
	const { nat, client, server } = await openEnds(scenario);
	for (let index = 0; index < 100; index++) {
		await client.send(String(index), nat.port);
		await server.came(index + 1);
	}
	await nat.rebind();
	assert.deepEqual(server.texts.map(Number), [...Array(100).keys()]);
	const { came, lost, doubled, reordered } = nat.up;
	assert.deepEqual([came, lost, doubled, reordered], [100, 0, 0, 0]);
});
