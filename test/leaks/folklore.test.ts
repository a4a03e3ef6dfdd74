/** What the two texts say that these patterns come from, and what this machine says. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { TokenBucket } from "../../src/guard/token-bucket.js";
import { LOOPBACK } from "../support/peers.js";
import { Changes } from "../support/waiting.js";
import { gone, Loopback, measured } from "./loopback.js";
import { renewed, whole } from "./patterns/missing-deadline.js";
import { SeedLimiter } from "./patterns/uncancelled-work.js";
import { bufferBytes, kib, tell, turn } from "./rulers.js";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;

measured(
	"a deadline that each read renews lets a client that trickles stay for an hour, and one for the whole does not",
	async (scenario) => {
		const loopback = await Loopback.listen(scenario);
		const first = await loopback.dial();
		const second = await loopback.dial();
		const { timers } = scenario.context.mock;
		timers.enable({ apis: ["setTimeout"] });
		scenario.defer(() => timers.reset());
		renewed(first.socket);
		const life = whole(second.socket);
		let renewedMs = 0;
		// One byte each 29 seconds, to both.
		for (let bytes = 1; renewedMs < HOUR_MS; bytes++) {
			first.client.write(".");
			if (!life.isOver) second.client.write(".");
			while (first.socket.bytesRead < bytes || (!life.isOver && second.socket.bytesRead < bytes))
				await turn();
			timers.tick(29 * SECOND_MS);
			assert.ok(!first.socket.destroyed);
			renewedMs += 29 * SECOND_MS;
		}
		timers.reset();
		tell(scenario.context, {
			"bytes that kept the one open": first.socket.bytesRead,
			"seconds, renewed": renewedMs / SECOND_MS,
			"bytes that the other got": second.socket.bytesRead,
			"ended as": life.reason ?? "not",
		});
		assert.equal(life.reason, "handshake_timeout");
		assert.equal(second.socket.bytesRead, 2);
	},
);

measured(
	"the seed's limiter of 100 a second gives one a second once its burst is spent, and ticks for ever",
	async (scenario) => {
		const { timers } = scenario.context.mock;
		timers.enable({ apis: ["setInterval"] });
		const limiter = new SeedLimiter(100);
		let nowMs = 0;
		using bucket = new TokenBucket({ perSecond: 100, now: () => nowMs });
		let bySeed = 0;
		let byBucket = 0;
		for (; nowMs <= 60 * SECOND_MS; nowMs += 10) {
			while (limiter.tryAcquire()) bySeed++;
			while (bucket.tryTake()) byBucket++;
			timers.tick(10);
		}
		timers.reset();
		tell(scenario.context, { "seed in a minute": bySeed, "TokenBucket in a minute": byBucket });
		assert.equal(bySeed, 100 + 60);
		assert.ok(Math.abs(byBucket - (100 + 60 * 100)) <= 1, `${byBucket} tokens`);
	},
);

measured(
	"a slice of a buffer that is read into again holds one buffer however many are kept, and what it said is lost",
	async (scenario) => {
		const loopback = await Loopback.listen(scenario);
		const kept: Buffer[] = [];
		const changes = new Changes();
		const arrival = new Promise<Socket>((resolve) => loopback.server.once("connection", resolve));
		// As `conn.Read(buf)`: Node reads into the same 4 KiB each time.
		const reader = connect({
			port: loopback.port,
			host: LOOPBACK,
			onread: {
				buffer: Buffer.alloc(4_096),
				callback: (bytes, buffer) => {
					kept.push(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
					changes.announce();
					return true;
				},
			},
		});
		scenario.defer(() => reader.destroy());
		const socket = await arrival;
		for (let i = 0; i < 100; i++) {
			socket.write(`message ${String(i).padStart(2, "0")}`);
			await changes.until(
				() => (kept.length > i ? true : undefined),
				() => `message ${i}`,
			);
		}
		const texts = new Set(kept.map((slice) => slice.toString()));
		const memory = new Set(kept.map(({ buffer }) => buffer));
		tell(scenario.context, {
			kept: kept.length,
			"buffers held": memory.size,
			"different messages": texts.size,
		});
		assert.equal(memory.size, 1);
		assert.deepEqual([...texts], ["message 99"]);
	},
);

measured(
	"Node cuts what it read with to what came: one small message by itself holds no 64 KiB",
	async (scenario) => {
		const loopback = await Loopback.listen(scenario);
		const { client, socket } = await loopback.dial();
		const kept: Buffer[] = [];
		const changes = new Changes();
		socket.on("data", (chunk) => {
			kept.push(chunk);
			changes.announce();
		});
		for (let i = 0; i < 100; i++) {
			client.write(Buffer.alloc(100, i));
			await changes.until(
				() => (kept.length > i ? true : undefined),
				() => `message ${i}`,
			);
		}
		const heldBytes = kept.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
		tell(scenario.context, {
			"messages of 100 bytes": kept.length,
			"memory that they hold": `${heldBytes} B`,
		});
		assert.equal(heldBytes, 100 * 100);
	},
);

measured(
	"small writes are no bound: the kernel takes megabytes for a peer that does not read, and then Node takes the rest",
	async (scenario) => {
		const loopback = await Loopback.listen(scenario);
		const { socket } = await loopback.dial();
		const beforeBytes = await bufferBytes();
		const pieceBytes = 4_096;
		const pieces = 4_096;
		for (let i = 0; i < pieces; i++) {
			socket.write(Buffer.alloc(pieceBytes));
			await turn();
		}
		const heldBytes = (await bufferBytes()) - beforeBytes;
		const byKernel = pieces * pieceBytes - socket.writableLength;
		tell(scenario.context, {
			"written, 4 KiB at a time": kib(pieces * pieceBytes),
			"taken by the kernel": kib(byKernel),
			"kept by Node": kib(socket.writableLength),
		});
		assert.ok(byKernel > 128 * 1_024, `the kernel took ${byKernel}`);
		assert.ok(socket.writableLength > 0 && heldBytes >= socket.writableLength);
	},
);

measured(
	"a socket with a byte that nobody reads does not hear that its client has left",
	async (scenario) => {
		const loopback = await Loopback.listen(scenario);
		const unread = await loopback.dial();
		const read = await loopback.dial();
		unread.socket.pause();
		unread.client.write(".");
		while (unread.socket.bytesRead === 0) await turn();
		read.socket.resume();
		unread.client.destroy();
		await gone(unread.client);
		// Later than the other one, and its server's end knows.
		read.client.destroy();
		await gone(read.socket);
		for (let i = 0; i < 100; i++) await turn();
		const before = unread.socket.closed;
		unread.socket.resume();
		await gone(unread.socket);
		tell(scenario.context, {
			"closed while nobody read": String(before),
			"closed when somebody did": "true",
		});
		assert.ok(!before);
	},
);
