import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Ticket } from "../../../src/protocol/tunnel/index.js";
import type { LineState, OpenTunnel } from "../../../src/tunnel/gateway/interfaces.js";
import { LineDesk } from "../../../src/tunnel/gateway/line-desk.js";
import { TICKET_MS } from "../../../src/tunnel/registry/tickets.js";
import { proofFor } from "./test-agent.js";

const LIMITS = { lines: 3, linesMax: 8 };
const nonce = Buffer.alloc(16, 1);

const offer = (name: string): Omit<OpenTunnel, "number" | "slot"> => ({
	...{ identity: "a", epoch: 1, kind: "http", name, host: `${name}.example.com`, port: null },
	...{ plain: false, allow: null, connections: null, bytesPerSecond: null, basicAuth: [] },
});

test("a slot is another's only when the tunnel is closed and its last line has ended", () => {
	const desk = new LineDesk(() => 0, LIMITS);
	const tickets: Ticket[] = [];
	const first = desk.add(offer("one"), (asked) => tickets.push(...asked));
	desk.open(first.number);
	const [ticket] = tickets;
	assert.ok(ticket !== undefined);
	assert.deepEqual(desk.verify(ticket.id, nonce, proofFor(ticket, nonce)), { tunnel: 1, epoch: 1 });
	desk.parked(1);
	desk.taken(1);
	desk.close(1);
	const second = desk.add(offer("two"), () => {});
	assert.deepEqual([second.number, second.slot], [2, 1]);
	assert.equal(desk.tunnels()[0]?.isClosed, true);
	desk.ended(1, "used", "done");
	assert.deepEqual([desk.add(offer("three"), () => {}).slot, desk.recycled()], [0, { done: 1 }]);
	desk.parked(1);
	desk.ended(1, "parked", "dead");
	assert.deepEqual(desk.recycled(), { done: 1 }, "news of a tunnel that is gone changes nothing");
});

/** One line, as reactors know it. */
interface Line {
	readonly tunnel: number;
	state: LineState;
}

test("whatever lines, agents and clocks do, the desk knows how many lines there are, and slots are never shared", () => {
	const step = fc.record({
		does: fc.constantFrom(
			...([
				"add",
				"close",
				"use",
				"spoil",
				"fail",
				"park",
				"take",
				"return",
				"retire",
				"end",
				"wait",
			] as const),
			...(["use", "park", "use", "park", "take", "crowd", "calm", "tick"] as const),
		),
		pick: fc.nat(),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			let now = 0;
			const desk = new LineDesk(() => now, LIMITS);
			const open: number[] = [];
			/** Tickets that agents have, and when each ends. */
			let out: { ticket: Ticket; tunnel: number; untilMs: number }[] = [];
			const lines: Line[] = [];
			for (const { does, pick } of steps) {
				const chosen = <T>(from: readonly T[]): T | undefined => from[pick % Math.max(1, from.length)];
				const lineIn = (...states: LineState[]): Line | undefined =>
					chosen(lines.filter(({ state }) => states.includes(state)));
				const tunnel = chosen(open);
				if (does === "add" && open.length < 4) {
					const made = desk.add(offer(`t${open.length}`), (tickets) => {
						for (const ticket of tickets) out.push({ ticket, tunnel: made.number, untilMs: now + TICKET_MS });
					});
					desk.open(made.number);
					open.push(made.number);
				} else if (does === "close" && tunnel !== undefined) {
					desk.close(tunnel);
					open.splice(open.indexOf(tunnel), 1);
				} else if (does === "use" || does === "spoil" || does === "fail") {
					const used = chosen(out);
					if (used === undefined) continue;
					out = out.filter((each) => each !== used);
					const { ticket } = used;
					const isGood = open.includes(used.tunnel) && now < used.untilMs;
					if (does === "fail") desk.failed(ticket.id, 1);
					else {
						const proof = does === "use" ? proofFor(ticket, nonce) : Buffer.alloc(32);
						const owner = desk.verify(ticket.id, nonce, proof);
						assert.equal(owner?.tunnel, isGood && does === "use" ? used.tunnel : undefined);
						if (owner !== undefined) lines.push({ tunnel: owner.tunnel, state: "proving" });
					}
				} else if (does === "park") {
					const line = lineIn("proving");
					if (line === undefined) continue;
					line.state = "parked";
					desk.parked(line.tunnel);
				} else if (does === "take") {
					const line = lineIn("parked");
					if (line === undefined) continue;
					line.state = "used";
					desk.taken(line.tunnel);
				} else if (does === "return") {
					const line = lineIn("used");
					if (line === undefined) continue;
					line.state = "parked";
					desk.returned(line.tunnel);
				} else if (does === "retire") {
					const line = lineIn("parked", "used");
					if (line === undefined) continue;
					desk.retiring(line.tunnel, line.state === "parked" ? "parked" : "used");
					line.state = "retiring";
				} else if (does === "end") {
					const line = chosen(lines);
					if (line === undefined) continue;
					lines.splice(lines.indexOf(line), 1);
					desk.ended(line.tunnel, line.state, "done");
				} else if ((does === "crowd" || does === "calm") && tunnel !== undefined)
					desk.waiting(tunnel, does === "crowd" ? 20 : 0);
				else if (does === "wait") now += 7_000;
				else desk.tick();

				const known = desk.tunnels();
				assert.equal(new Set(known.map(({ tunnel: { slot } }) => slot)).size, known.length);
				for (const {
					tunnel: { number },
					lines: counts,
					isClosed,
				} of known) {
					assert.equal(isClosed, !open.includes(number));
					const own = lines.filter((line) => line.tunnel === number);
					for (const state of ["proving", "parked", "used", "retiring"] as const)
						assert.equal(
							counts[state],
							own.filter((line) => line.state === state).length,
							`${does} ${state}`,
						);
					if (isClosed) assert.ok(own.length > 0);
				}
				for (const number of [...open, ...lines.map((line) => line.tunnel)])
					assert.ok(known.some(({ tunnel: { number: each } }) => each === number));
			}
			// In the end all of it goes, and the desk is empty.
			for (const number of open) desk.close(number);
			for (const { tunnel, state } of lines) desk.ended(tunnel, state, "done");
			assert.deepEqual(desk.tunnels(), []);
		}),
		{ numRuns: 300 },
	);
});
