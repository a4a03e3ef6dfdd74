/** What is often said of connections' cost, beside what was measured, and why the two differ. */
import { descriptorBudget } from "../../gateway/descriptors.js";
import { assumedConfig } from "../asked.js";
import { bytes, count } from "../finding.js";
import { TLS_BYTES } from "../plan/assumed.js";
import type { Plan } from "../plan/plan.js";
import { OPEN, REACTORS, type Recorded } from "./recorded.js";

export interface Said {
	readonly claim: string;
	readonly measured: string;
	readonly why: string;
}

/** `planOf`: for so many sessions. */
export function saidAndMeasured(recorded: Recorded, planOf: (sessions: number) => Plan): Said[] {
	const { door, sockets, measured } = recorded;
	const one = planOf(1).perSession;
	const oneEnd = one.kernelIdle / 2;
	const tenThousand = planOf(10_000);
	const gib4 = 4 * 1_073_741_824;
	const { limits, listeners, keepalive } = assumedConfig();
	const { idleSeconds, intervalSeconds, probes } = keepalive;
	const of1024 = descriptorBudget(1_024, limits.fdReserve, REACTORS, listeners.length, OPEN);
	const accepts = measured.acceptsPerSecond;
	const { sessionsPerSecond } = planOf(1).rates;
	const perCore = (sessionsPerSecond ?? 0) / Math.min(REACTORS, recorded.machine.cores);
	return [
		{
			claim:
				"A connection holds 34 to 132 KB of the kernel: a control block of 1 to 2 KB and two buffers of 16 to 64 KB.",
			measured: `${bytes(oneEnd)} for one end, idle, its file and inode and epoll's watch included; its buffers hold ${bytes(sockets.empty)}. Of a connection whose reader takes nothing, both ends: ${bytes(sockets.full)}`,
			why: "A buffer's size is a ceiling. Memory is taken when bytes come, and given back when they are gone; and the ceiling is far higher than that, because the kernel tunes it",
		},
		{
			claim: "10,000 connections need 1.35 GB of the kernel.",
			measured: `${bytes(10_000 * oneEnd)} for one end of each, and ${bytes(10_000 * one.kernelIdle)} for sessions, which have two`,
			why: "the same ceiling, multiplied",
		},
		{
			claim: "10,000 connections need 460 to 780 MB in all.",
			measured: `${bytes(tenThousand.idleBytes)} for 10,000 idle sessions and the process itself, ${bytes(planOf(0).idleBytes)} of which are there without any`,
			why: "as above; a session has no stack of its own here",
		},
		{
			claim: "The application adds 6.5 to 13 KB for each: a stack, and a read buffer of 4 KB.",
			measured: `${bytes(one.user)}`,
			why: "Event loops have no stack for each connection, and bytes are received into one buffer for all. Only what the other side did not take is kept, in a chunk that is lent",
		},
		{
			claim: "A WebSocket user with TLS costs 48 KB: 32 KB for TLS and 16 KB of buffers.",
			measured: `${bytes(TLS_BYTES)} for TLS, measured with 5,000 sessions ([performance](performance.md)), and the rows of the table`,
			why: "OpenSSL gives its buffers back while they are empty (`SSL_MODE_RELEASE_BUFFERS`)",
		},
		{
			claim: "A server of 4 GB can hold 80,000 connections of 50 KB each.",
			measured: `${count(Math.floor(gib4 / (oneEnd + one.user)))} idle connections, or ${count(Math.floor(gib4 / (one.kernelIdle + one.user)))} idle sessions; but ${count(Math.floor(gib4 / sockets.full))} whose buffers are all full`,
			why: "idle and full are two questions. `limits.memory` answers the second: it closes those that hold most and have earned least",
		},
		{
			claim: "With 1,024 descriptors a server has 1,020 clients.",
			measured: `${count(of1024.sessions)} sessions fit: each has two descriptors, and ${count(1_024 - 2 * of1024.sessions)} are the process's and in reserve`,
			why: "a gateway has a connection on each side. It raises the soft limit by itself, so that 1,024 seldom holds",
		},
		{
			claim: "The kernel makes a descriptor, and 128 KB of buffers, at the last packet of the handshake.",
			measured: `With ${count(door.established)} handshakes over there were ${count(door.descriptorsBefore)} descriptors for them; when they had been accepted, ${count(door.descriptorsAccepted)}. Buffers: ${bytes(sockets.empty)}`,
			why: "the kernel makes a socket there. Descriptors are made by `accept`, so a process that has none left leaves its clients in the queue",
		},
		{
			claim: "The 129th client of a backlog of 128 is established and waits in the SYN queue.",
			measured: `Of ${count(door.clients)} clients ${count(door.established)} were established, ${count(door.retrying)} had no answer and sent their SYN again, and ${count(door.halfOpen)} were half-open`,
			why: "the kernel drops a SYN whose accept queue is longer than the backlog, before it makes anything for it ([between SYN and accept](handshakes.md))",
		},
		{
			claim: "The SYN queue holds 1,024 and more, as `tcp_max_syn_backlog` says.",
			measured: "258 for two queues of 128 ([the drill](handshakes.md#a-syn-flood))",
			why: "half-open connections are bounded by the listener's own backlog; the setting is asked where syncookies are off",
		},
		{
			claim: "An application accepts 1,000 a second, so that 5,000 clients take five seconds.",
			measured:
				accepts === null
					? "not measured here"
					: `one core dials, accepts and closes ${count(accepts)} a second, which routed and relayed are about ${count(perCore)}: 5,000 take ${Math.round((5_000 / perCore) * 1_000)} ms`,
			why: "accepting waits for no handler",
		},
		{
			claim: "Keepalive closes a dead peer's connection after 30 to 90 s.",
			measured: `${seconds(idleSeconds + probes * intervalSeconds)}, with the defaults of \`keepalive\`: idle ${seconds(idleSeconds)}, then ${probes} probes ${seconds(intervalSeconds)} apart; by the kernel's own two hours and eleven minutes`,
			why: "so it is set for each connection. Who is alive and says nothing is ended by `timeouts.idle`",
		},
	];
}

function seconds(amount: number): string {
	return `${amount} s`;
}

/** What such texts reckon with, in bytes of one connection: of the kernel, and of the application. */
export const SAID_BYTES = {
	kernel: [34_000, 132_000],
	application: [6_500, 13_000],
} as const;
