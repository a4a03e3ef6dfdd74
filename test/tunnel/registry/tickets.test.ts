import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lineProof } from "../../../src/protocol/tunnel/index.js";
import { TICKET_MS, Tickets } from "../../../src/tunnel/registry/tickets.js";

const nonce = Buffer.alloc(16, 3);
const OWNER = { tunnel: 1, epoch: 5 };

test("a ticket is good once, for its owner, and shows nothing of its key", () => {
	const tickets = new Tickets(() => 0);
	const { id, key } = tickets.issue(OWNER);
	const proof = lineProof(key, id, nonce);
	assert.deepEqual(tickets.use(id, nonce, proof), { owner: OWNER, isGood: true });
	assert.equal(tickets.use(id, nonce, proof), undefined);
	assert.equal(tickets.size, 0);
});

test("a wrong proof uses it up, and one over another nonce or of another ticket is wrong", () => {
	const tickets = new Tickets(() => 0);
	for (const spoil of [
		(proof: Buffer) => Buffer.alloc(proof.length),
		(proof: Buffer) => proof.subarray(1),
		(_: Buffer, id: Uint8Array, key: Uint8Array) => lineProof(key, id, Buffer.alloc(16, 4)),
		(_: Buffer, id: Uint8Array) => lineProof(tickets.issue(OWNER).key, id, nonce),
	]) {
		const { id, key } = tickets.issue(OWNER);
		const proof = lineProof(key, id, nonce);
		assert.equal(tickets.use(id, nonce, spoil(proof, id, key))?.isGood, false);
		assert.equal(tickets.use(id, nonce, proof), undefined);
	}
});

test("it is good for its time, and not a moment longer", () => {
	let now = 0;
	const tickets = new Tickets(() => now);
	const [early, late] = [tickets.issue(OWNER), tickets.issue(OWNER)];
	now = TICKET_MS - 1;
	assert.equal(tickets.use(early.id, nonce, lineProof(early.key, early.id, nonce))?.isGood, true);
	now = TICKET_MS;
	assert.equal(tickets.use(late.id, nonce, lineProof(late.key, late.id, nonce))?.isGood, false);
});

test("only the epoch that was given it can give it up", () => {
	const tickets = new Tickets(() => 0);
	const { id } = tickets.issue(OWNER);
	assert.equal(tickets.giveUp(id, 6), undefined);
	assert.deepEqual(tickets.giveUp(id, 5)?.tunnel, 1);
	assert.equal(tickets.giveUp(id, 5), undefined);
});

test("every ticket ends once, used, given up, expired or forgotten", () => {
	const step = fc.record({
		does: fc.constantFrom("issue", "use", "giveUp", "wait", "forget"),
		tunnel: fc.integer({ min: 1, max: 3 }),
		pick: fc.nat(),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
			let now = 0;
			const tickets = new Tickets(() => now);
			const out = new Map<string, { id: Uint8Array; key: Uint8Array; tunnel: number; untilMs: number }>();
			for (const { does, tunnel, pick } of steps) {
				const chosen = [...out.entries()][pick % Math.max(1, out.size)];
				if (does === "issue") {
					const ticket = tickets.issue({ tunnel, epoch: 1 });
					out.set(Buffer.from(ticket.id).toString("hex"), { ...ticket, tunnel, untilMs: now + TICKET_MS });
				} else if (does === "wait") {
					now += TICKET_MS / 3;
					const expired: number[] = [];
					tickets.expire((owner) => expired.push(owner.tunnel));
					const over = [...out].filter(([, { untilMs }]) => untilMs <= now);
					assert.deepEqual(expired.sort(), over.map(([, each]) => each.tunnel).sort());
					for (const [key] of over) out.delete(key);
				} else if (does === "forget") {
					tickets.forget(tunnel);
					for (const [key, each] of out) if (each.tunnel === tunnel) out.delete(key);
				} else if (chosen !== undefined) {
					const [key, { id, key: secret, tunnel: owner }] = chosen;
					if (does === "use")
						assert.deepEqual(tickets.use(id, nonce, lineProof(secret, id, nonce))?.owner.tunnel, owner);
					else assert.equal(tickets.giveUp(id, 1)?.tunnel, owner);
					out.delete(key);
				}
				assert.equal(tickets.size, out.size);
			}
		}),
	);
});
