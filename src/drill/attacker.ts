/** The attackers: a process of its own, so that neither its CPU nor its descriptors are the target's. */
import { setPriority } from "node:os";
import { LinuxKernel } from "../kernel/linux.js";
import { raiseDescriptorLimit } from "../kernel/sockets.js";
import { Channel } from "../rig/channel.js";
import { type Row, turn } from "../rig/turn.js";
import { CROWD_ARENA_BYTES, Crowd } from "./crowd.js";
import type { AttackNews, AttackOrder } from "./messages.js";

/** The finest step of a dribble, and how long an order to open may wait. */
const TURN_MS = 5;
const STATUS_MS = 250;

/** The target and its good client come first where cores are few: what is measured is the attack, not its effort. */
const NICE = 5;

setPriority(NICE);
raiseDescriptorLimit();
const kernel = new LinuxKernel(CROWD_ARENA_BYTES);
const channel = new Channel<AttackOrder, AttackNews>(kernel, obey);
let crowd: Crowd | null = null;
let statusDueMs = 0;
let toldDone = false;
let turnDueMs = 0;

/** Between attacks. */
const NOBODY: Row = { serials: new Int32Array(0) };

serve();

function serve(): never {
	for (;;) {
		turn(kernel, crowd === null ? -1 : TURN_MS, crowd?.row ?? NOBODY, hear, channel);
		const nowMs = kernel.now();
		// Thousands of places are looked through: not after every event.
		if (crowd !== null && nowMs >= turnDueMs) {
			turnDueMs = nowMs + TURN_MS / 5;
			crowd.turn(nowMs);
		}
		if (crowd !== null && nowMs >= statusDueMs) {
			statusDueMs = nowMs + STATUS_MS;
			channel.tell({ news: "status", status: crowd.status });
		}
		if (crowd?.done === true && !toldDone) {
			toldDone = true;
			channel.tell({ news: "status", status: crowd.status });
			channel.tell({ news: "done" });
		}
	}
}

function hear(place: number, flags: number): void {
	crowd?.event(place, flags);
}

function obey(order: AttackOrder): void {
	switch (order.do) {
		case "attack":
			crowd = new Crowd(kernel, order.attack);
			toldDone = false;
			return;
		case "stop":
			crowd?.stop();
			return;
		case "release":
			if (crowd === null) return;
			channel.tell({ news: "report", report: crowd.release() });
			channel.tell({ news: "status", status: crowd.status });
			crowd = null;
	}
}
