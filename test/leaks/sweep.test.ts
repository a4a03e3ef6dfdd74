/** Pattern 10: sessions of datagrams that are swept when there happens to be a multiple of a hundred. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { LOOPBACK } from "../support/peers.js";
import type { Scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";
import { measured } from "./loopback.js";
import { bounded, type Dial, leaking, type Sessions, type Upstream } from "./patterns/sweep-by-number.js";
import { tell } from "./rulers.js";

/** Long enough for a thousand clients to come first, on a machine that is busy. */
const IDLE_MS = 2_000;

const SIZES = [1, 99, 100, 137, 1_000] as const;

type Make = (server: Socket, dial: Dial) => Sessions;

/** Two relays get the same, and the server behind them hears all. */
class Relay {
	readonly port: number;
	readonly sessions: Sessions;
	/** Of sessions, open. */
	sockets = 0;
	readonly #open = new Set<Upstream>();
	readonly #upstreamPort: number;

	private constructor(server: Socket, upstreamPort: number, make: Make) {
		this.port = server.address().port;
		this.#upstreamPort = upstreamPort;
		this.sessions = make(server, () => this.#dial());
	}

	static async listen(scenario: Scenario, make: Make): Promise<Relay> {
		const server = createSocket("udp4");
		server.bind(0, LOOPBACK);
		await once(server, "listening");
		server.setRecvBufferSize(4 * 1_048_576);
		// The server behind it, which hears and says nothing.
		const behind = createSocket("udp4");
		behind.bind(0, LOOPBACK);
		await once(behind, "listening");
		const relay = new Relay(server, behind.address().port, make);
		scenario.defer(async () => {
			for (const upstream of relay.#open) upstream.close();
			await Promise.all([closed(server), closed(behind)]);
		});
		return relay;
	}

	#dial(): Upstream {
		const socket = createSocket("udp4");
		const upstream: Upstream = {
			send: (datagram) => socket.send(datagram, this.#upstreamPort, LOOPBACK),
			close: () => {
				this.#open.delete(upstream);
				this.sockets--;
				socket.close();
			},
		};
		socket.on("error", () => {});
		this.sockets++;
		this.#open.add(upstream);
		return upstream;
	}
}

/** So many clients say one datagram each to all of these. They stay open to the end: a port that is used again is no new client. */
async function come(scenario: Scenario, count: number, relays: readonly Relay[]): Promise<void> {
	for (let client = 0; client < count; client++) {
		const socket = createSocket("udp4");
		scenario.defer(() => closed(socket));
		for (const { port } of relays)
			await new Promise<void>((resolve, reject) =>
				socket.send("hello", port, LOOPBACK, (error) => (error === null ? resolve() : reject(error))),
			);
	}
}

async function closed(socket: Socket): Promise<void> {
	socket.close();
	await once(socket, "close");
}

function grown(relay: Relay, size: number): Promise<true> {
	return eventually(
		() => (relay.sessions.size === size ? true : undefined),
		() => `${relay.sessions.size} of ${size} sessions`,
	);
}

for (const size of SIZES)
	measured(`10 sweep by number: ${size} sessions fall silent`, async (scenario) => {
		const swept = await Relay.listen(scenario, (server, dial) => leaking(server, dial, IDLE_MS));
		const ours = await Relay.listen(scenario, (server, dial) => bounded(server, dial, IDLE_MS));
		await come(scenario, size, [swept, ours]);
		await grown(swept, size);
		await grown(ours, 0);
		const left = swept.sockets;
		await come(scenario, 1, [swept]);
		// The sweep is in the same turn as the session.
		const after = (size + 1) % 100 === 0 ? 1 : size + 1;
		await grown(swept, after);
		tell(scenario.context, {
			"swept: sockets left when ours have gone": left,
			"after one client more": swept.sockets,
			"ours left": ours.sockets,
		});
		assert.equal(left, size);
		assert.equal(swept.sockets, after);
		assert.equal(ours.sockets, 0);
	});

measured("10 sweep by number: multiples of ten are no cure", async (scenario) => {
	const swept = await Relay.listen(scenario, (server, dial) => leaking(server, dial, IDLE_MS, 10));
	const ours = await Relay.listen(scenario, (server, dial) => bounded(server, dial, IDLE_MS));
	await come(scenario, 137, [swept, ours]);
	await grown(swept, 137);
	await grown(ours, 0);
	tell(scenario.context, { "swept at multiples of ten: left when ours have gone": swept.sockets });
	assert.equal(swept.sockets, 137);
});
