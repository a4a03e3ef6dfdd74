/** Patterns 3, 6, 7 and 8: bytes that wait, and how they go out. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { descriptorOf } from "../../src/guard/connection.js";
import { FrameWriter } from "../../src/guard/frames.js";
import { Message } from "../../src/guard/outbox.js";
import { segmentsIn } from "../reactor/segments.js";
import type { Scenario } from "../support/scenario.js";
import { Changes, eventually } from "../support/waiting.js";
import { gone, Loopback, measured } from "./loopback.js";
import * as slice from "./patterns/retained-slice.js";
import * as slow from "./patterns/slow-subscriber.js";
import * as small from "./patterns/small-writes.js";
import * as queue from "./patterns/unbounded-queue.js";
import { bufferBytes, kib, tell, turn, writeCalls } from "./rulers.js";

const KIB = 1024;
const MIB = 1024 * KIB;

const FRAMES = 32_768;
/** V8 keeps up to 64 bytes in the heap, and counts only what is larger as a buffer. */
const FRAME_BYTES = 124;
/** One of so many is kept: about one of each chunk. */
const KEEP_EACH = 512;

/** 4 MiB of small frames arrive, and a few of them are kept. */
async function keepSome(
	scenario: Scenario,
	handle: (socket: Socket, keep: (frame: Buffer) => void) => Promise<void>,
): Promise<{ keptBytes: number; heldBytes: number }> {
	const loopback = await Loopback.listen(scenario);
	const { client, socket } = await loopback.dial();
	const frame = Buffer.alloc(FRAME_BYTES, "f");
	const writer = new FrameWriter(client);
	const beforeBytes = await bufferBytes();
	const kept: Buffer[] = [];
	let seen = 0;
	const handler = handle(socket, (frame) => {
		if (seen++ % KEEP_EACH === 0) kept.push(frame);
	});
	for (let i = 0; i < FRAMES; i++) if (!writer.write(frame)) await writer.drained();
	writer.end();
	await handler;
	socket.destroy();
	await gone(socket);
	assert.equal(seen, FRAMES);
	const heldBytes = (await bufferBytes()) - beforeBytes;
	return { keptBytes: kept.reduce((sum, { length }) => sum + length, 0), heldBytes };
}

measured(
	"3 retained slice, leaking: 8 KiB of frames hold the megabytes that they came in",
	async (scenario) => {
		const { keptBytes, heldBytes } = await keepSome(scenario, slice.leaking);
		tell(scenario.context, { kept: kib(keptBytes), held: kib(heldBytes) });
		assert.ok(heldBytes > 100 * keptBytes, `${heldBytes} bytes are held for ${keptBytes}`);
	},
);

measured("3 retained slice, ours: frames that are kept hold at most twice their length", async (scenario) => {
	const { keptBytes, heldBytes } = await keepSome(scenario, slice.bounded);
	tell(scenario.context, { kept: kib(keptBytes), held: kib(heldBytes) });
	assert.ok(heldBytes <= 2 * keptBytes, `${heldBytes} bytes are held for ${keptBytes}`);
});

const QUEUE_MESSAGES = 1_024;
const QUEUE_MESSAGE_BYTES = 32 * KIB;

/** 32 MiB are sent to a worker that does not get on with the first message. */
async function sendToBusy(
	scenario: Scenario,
	handle: (socket: Socket, work: queue.Work) => unknown,
	isOver: (socket: Socket, client: Socket) => boolean,
): Promise<{ readBytes: number; heldBytes: number; sentAtOnce: boolean }> {
	const loopback = await Loopback.listen(scenario);
	const { client, socket } = await loopback.dial();
	const message = Buffer.alloc(QUEUE_MESSAGE_BYTES, "m");
	const beforeBytes = await bufferBytes();
	// Held by this test: a worker that nobody can reach any more would be collected, and its queue with it.
	const busy = new Promise<void>((resolve) => scenario.defer(resolve));
	handle(socket, () => busy);
	const writer = new FrameWriter(client, { maxBufferedBytes: 64 * MIB });
	for (let i = 0; i < QUEUE_MESSAGES; i++) writer.write(message);
	await eventually(
		() => (isOver(socket, client) ? true : undefined),
		() => `${socket.bytesRead} bytes were read, ${client.writableLength} wait with the client`,
	);
	const sentAtOnce = client.writableLength === 0;
	// The client's own buffers are the same message again and again.
	const heldBytes = (await bufferBytes()) - beforeBytes;
	return { readBytes: socket.bytesRead, heldBytes, sentAtOnce };
}

measured(
	"6 unbounded queue, leaking: all that the client has sent waits in memory for a busy worker",
	async (scenario) => {
		const total = QUEUE_MESSAGES * (QUEUE_MESSAGE_BYTES + 4);
		const { readBytes, heldBytes, sentAtOnce } = await sendToBusy(
			scenario,
			queue.leaking,
			(socket, client) => socket.bytesRead === total && client.writableLength === 0,
		);
		tell(scenario.context, { read: kib(readBytes), "buffers held": kib(heldBytes) });
		assert.ok(sentAtOnce);
		assert.ok(heldBytes >= total, `${heldBytes} bytes are held of ${total}`);
	},
);

measured(
	"6 unbounded queue, ours: a busy worker makes the client wait, and holds one chunk or two",
	async (scenario) => {
		const { readBytes, heldBytes, sentAtOnce } = await sendToBusy(
			scenario,
			(socket, work) => void queue.bounded(socket, work).catch(() => {}),
			(socket, client) => client.writableLength > 0 && socket.readableLength >= socket.readableHighWaterMark,
		);
		tell(scenario.context, { read: kib(readBytes), "buffers held": kib(heldBytes) });
		assert.ok(!sentAtOnce);
		assert.ok(readBytes <= 512 * KIB, `${readBytes} bytes were read`);
		assert.ok(heldBytes <= 512 * KIB, `${heldBytes} bytes are held`);
	},
);

const SUBSCRIBERS = 20;
const TOPIC_MESSAGES = 512;
const TOPIC_MESSAGE_BYTES = 32 * KIB;

interface FanOut {
	/** Of the one that does not read. */
	readonly sleeper: Socket;
	readonly sockets: Socket[];
	/** Of all that read: what the one with the least has got. */
	least(): number;
	/** All that read have so many bytes. */
	reached(bytes: number): Promise<true>;
}

/** Twenty subscribers, of whom the first does not read. */
async function subscribe(scenario: Scenario): Promise<FanOut> {
	const loopback = await Loopback.listen(scenario);
	const changes = new Changes();
	const got = new Map<Socket, number>();
	for (let i = 0; i < SUBSCRIBERS; i++) {
		const { client } = await loopback.dial();
		if (i === 0) continue;
		got.set(client, 0);
		client.on("data", ({ length }) => {
			got.set(client, (got.get(client) ?? 0) + length);
			changes.announce();
		});
	}
	const sockets = [...loopback.accepted];
	const [sleeper] = sockets;
	assert.ok(sleeper !== undefined);
	const least = (): number => Math.min(...got.values());
	return {
		sleeper,
		sockets,
		least,
		reached: (bytes) =>
			changes.until(
				() => (least() >= bytes ? true : undefined),
				() => `${bytes} bytes at each that reads; one has ${least()}`,
			),
	};
}

function message(i: number): Buffer {
	return Buffer.alloc(TOPIC_MESSAGE_BYTES, i);
}

measured(
	"7 slow subscriber, leaking: the others get all, and what waits for it grows with each message",
	async (scenario) => {
		const { sleeper, sockets, least, reached } = await subscribe(scenario);
		const beforeBytes = await bufferBytes();
		let grown = 0;
		let beforeWaiting = 0;
		for (let i = 1; i <= TOPIC_MESSAGES; i++) {
			slow.leaking(sockets, message(i));
			await reached(i * TOPIC_MESSAGE_BYTES);
			if (sleeper.writableLength > beforeWaiting) grown++;
			beforeWaiting = sleeper.writableLength;
		}
		const heldBytes = (await bufferBytes()) - beforeBytes;
		tell(scenario.context, {
			"the others got": `${least() / TOPIC_MESSAGE_BYTES} of ${TOPIC_MESSAGES}`,
			"waits for the one": kib(sleeper.writableLength),
			"buffers held": kib(heldBytes),
			"messages with which it grew": grown,
		});
		assert.ok(sleeper.writableLength > 4 * MIB);
		assert.ok(heldBytes >= sleeper.writableLength);
		assert.ok(grown > TOPIC_MESSAGES / 4);
	},
);

measured(
	"7 slow subscriber, leaking: with a wait for each, all others stop where the slow one has stopped",
	async (scenario) => {
		const { sleeper, sockets, least } = await subscribe(scenario);
		let sent = 0;
		const feeding = (async () => {
			for (; sent < TOPIC_MESSAGES; sent++) await slow.blocking(sockets, message(sent));
		})();
		feeding.catch(() => {});
		await eventually(
			() =>
				sleeper.writableNeedDrain &&
				sockets.every((socket) => socket === sleeper || socket.writableLength === 0)
					? true
					: undefined,
			() => `the feed has sent ${sent} messages`,
		);
		const stoppedAt = sent;
		for (let i = 0; i < 100; i++) await turn();
		tell(scenario.context, {
			"the others got": `${least() / TOPIC_MESSAGE_BYTES} of ${TOPIC_MESSAGES}`,
			"waits for the one": kib(sleeper.writableLength),
		});
		assert.equal(sent, stoppedAt);
		assert.ok(least() < TOPIC_MESSAGES * TOPIC_MESSAGE_BYTES);
		assert.ok(sleeper.writableNeedDrain);
	},
);

measured(
	"7 slow subscriber, ours: the others get all, and what waits for it has a bound",
	async (scenario) => {
		const { sleeper, sockets, least, reached } = await subscribe(scenario);
		const beforeBytes = await bufferBytes();
		const topic = slow.bounded(sockets);
		let mostWaiting = 0;
		for (let i = 1; i <= TOPIC_MESSAGES; i++) {
			topic.send(message(i));
			await reached(i * TOPIC_MESSAGE_BYTES);
			mostWaiting = Math.max(mostWaiting, Message.retained.bytes);
		}
		const heldBytes = (await bufferBytes()) - beforeBytes;
		tell(scenario.context, {
			"the others got": `${least() / TOPIC_MESSAGE_BYTES} of ${TOPIC_MESSAGES}`,
			"waits for the one, at most": kib(mostWaiting),
			"buffers held": kib(heldBytes),
		});
		assert.ok(mostWaiting <= 256 * KIB, `${mostWaiting} bytes waited`);
		assert.ok(heldBytes <= 512 * KIB, `${heldBytes} bytes are held`);
		assert.equal(topic.size, SUBSCRIBERS);
		sleeper.destroy();
		await gone(sleeper);
		assert.equal(topic.size, SUBSCRIBERS - 1);
	},
);

const SMALL_MESSAGES = 1_000;

/** The least of so many rounds is taken: what Node writes for itself meanwhile, to wake its threads, is counted as well. */
const ROUNDS = 5;

/** A thousand small messages, so many in each turn of the event loop. */
async function sendSmall(...sending: Parameters<typeof sendSmallOnce>): ReturnType<typeof sendSmallOnce> {
	const rounds = [];
	for (let round = 0; round < ROUNDS; round++) rounds.push(await sendSmallOnce(...sending));
	return {
		calls: Math.min(...rounds.map(({ calls }) => calls)),
		segments: Math.min(...rounds.map(({ segments }) => segments)),
	};
}

async function sendSmallOnce(
	scenario: Scenario,
	send: (socket: Socket, messages: Buffer[]) => unknown,
	perTurn: number,
): Promise<{ calls: number; segments: number }> {
	const loopback = await Loopback.listen(scenario);
	const { client, socket } = await loopback.dial();
	socket.setNoDelay(true);
	client.resume();
	const messages = Array.from({ length: SMALL_MESSAGES }, (_, i) => Buffer.from(`message ${i}`));
	const expected = messages.reduce((sum, { length }) => sum + length + 4, 0);
	const callsBefore = writeCalls();
	const segmentsBefore = segmentsIn(descriptorOf(client));
	for (let at = 0; at < SMALL_MESSAGES; at += perTurn) {
		await send(socket, messages.slice(at, at + perTurn));
		await turn();
	}
	await eventually(
		() => (client.bytesRead === expected ? true : undefined),
		() => `${client.bytesRead} of ${expected} bytes arrived`,
	);
	return { calls: writeCalls() - callsBefore, segments: segmentsIn(descriptorOf(client)) - segmentsBefore };
}

for (const { perTurn, callsAtMost } of [
	{ perTurn: 1, callsAtMost: SMALL_MESSAGES + 20 },
	{ perTurn: 100, callsAtMost: 30 },
	{ perTurn: SMALL_MESSAGES, callsAtMost: 20 },
]) {
	measured(
		`8 small writes, leaking: ${perTurn} in a turn are ${2 * perTurn} system calls`,
		async (scenario) => {
			const { calls, segments } = await sendSmall(scenario, small.leaking, perTurn);
			tell(scenario.context, { "system calls for 1,000 messages": calls, segments });
			assert.ok(calls >= 2 * SMALL_MESSAGES, `${calls} calls`);
		},
	);

	measured(`8 small writes, ours: ${perTurn} in a turn are one system call`, async (scenario) => {
		const { calls, segments } = await sendSmall(scenario, small.bounded, perTurn);
		tell(scenario.context, { "system calls for 1,000 messages": calls, segments });
		assert.ok(calls <= callsAtMost, `${calls} calls`);
		assert.ok(segments <= calls, `${segments} segments`);
	});
}
