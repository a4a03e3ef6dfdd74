/** The audience of one instance: a process of its own, so that its CPU is nobody's. It sleeps while a message is delivered. */
import { LinuxKernel } from "../../../src/kernel/linux.js";
import { SUBSCRIBERS_ARENA_BYTES } from "../../../src/rig/subscribers/arena.js";
import { Followed } from "../../../src/rig/subscribers/followed.js";
import { Publisher } from "../../../src/rig/subscribers/publisher.js";
import { Subscribers } from "../../../src/rig/subscribers/subscribers.js";
import { TimedWire } from "../../../src/rig/subscribers/timed-wire.js";
import { TlsWire } from "../../../src/rig/wire.js";
import { type Answer, type Ask, obeyCommands } from "../../load/asking.js";
import { TLS_NAME } from "../../load/wire.js";
import type { Commands, Publishing } from "./commands.js";
import { fill, runDeliveries } from "./deliveries.js";

/**
 * Of those that do not read: a buffer that is full after a few messages. The largest segment bounds what their server's kernel takes
 * for them, too.
 */
const DEAF = { receiveBufferBytes: 4096, segmentBytes: 536 };

const kernel = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
const wire = new TimedWire(kernel);
let deaf: Subscribers[] = [];
let followed: Followed[] = [];
/** Of the message that is published next. */
let next = 1;

obeyCommands<Commands>(
	(ask) => {
		const startMs = performance.now();
		const answer = obey(ask);
		return { wallMs: performance.now() - startMs, ...answer };
	},
	() => release(),
);

function obey(ask: Ask<Commands>): Omit<Answer<Commands>, "wallMs"> {
	switch (ask.name) {
		case "open":
			open(ask);
			return {};
		case "fill":
			next += withPublisher(ask, (publisher) => fill(publisher, ask, next));
			return {};
		case "publish": {
			const delivered = withPublisher(ask, (publisher) =>
				runDeliveries(() => wire.nowUs(), publisher, followed, ask, next),
			);
			next += ask.messages;
			return delivered;
		}
		case "close":
			release();
			return {};
	}
}

function open(ask: Commands["open"]["ask"]): void {
	const timed = ask.tls ? null : wire;
	const through = timed ?? new TlsWire(kernel, ask.count, TLS_NAME);
	const subscribers = new Subscribers(kernel, through, ask.count, ask.door);
	// Before they come: what is left of an opening that failed is closed.
	if (ask.deaf) deaf.push(subscribers);
	else followed.push(new Followed(subscribers, timed, next));
	subscribers.open(ask.deaf ? DEAF : {});
}

function withPublisher<T>({ door }: Publishing, use: (publisher: Publisher) => T): T {
	const publisher = new Publisher(kernel, door);
	try {
		publisher.open();
		return use(publisher);
	} finally {
		publisher.close();
	}
}

function release(): void {
	for (const subscribers of deaf) subscribers.close();
	for (const { subscribers } of followed) subscribers.close();
	deaf = [];
	followed = [];
}
