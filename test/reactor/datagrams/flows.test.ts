/** Sessions by their clients' addresses, against a model: a list that is looked through. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AF_INET, AF_INET6 } from "../../../src/kernel/constants.js";
import { LOCAL_BYTES, SENDER_BYTES } from "../../../src/kernel/datagrams.js";
import { Flows } from "../../../src/reactor/datagrams/flows.js";
import { NONE, type Session } from "../../../src/reactor/table/numbers.js";
import { Random } from "../../../src/rig/random.js";

const SESSIONS = 24;
const PLACES = 3;

/** Where datagrams are received: each place keeps what an earlier sender has left in it. */
class Senders {
	readonly names = new Int32Array((PLACES * SENDER_BYTES) / 4);
	readonly locals = new Int32Array((PLACES * LOCAL_BYTES) / 4);
	readonly #bytes = new Uint8Array(this.names.buffer);

	/** As the kernel writes it: an address of IPv4 has 16 bytes, and what lies behind stays. */
	receive(place: number, client: Client) {
		const at = place * SENDER_BYTES;
		const name = new Uint8Array(client.isV6 ? SENDER_BYTES : 16);
		name[0] = client.isV6 ? AF_INET6 : AF_INET;
		name[3] = client.port;
		name[client.isV6 ? 23 : 7] = client.host;
		this.#bytes.set(name, at);
		const local = (place * LOCAL_BYTES) / 4;
		this.locals.fill(0, local, local + LOCAL_BYTES / 4);
		this.locals[local + 3] = client.local;
		// Which interface it came by says nothing of who it is.
		this.locals[local + 4] = place;
		const { names, locals } = this;
		return { listener: client.listener, names, nameAt: at / 4, locals, localAt: local };
	}
}

interface Client {
	readonly isV6: boolean;
	readonly port: number;
	readonly host: number;
	readonly local: number;
	readonly listener: number;
}

/** Few enough that many meet. */
function someClient(random: Random): Client {
	return {
		isV6: random.below(2) === 1,
		port: random.below(3),
		host: random.below(2),
		local: random.below(2),
		listener: random.below(2),
	};
}

const wordsOf = (client: Client): string => JSON.stringify(client);

test("clients are found where they came last, whoever comes, moves and goes", () => {
	for (let seed = 1; seed <= 40; seed++) {
		const random = new Random(seed);
		const flows = new Flows(SESSIONS);
		const senders = new Senders();
		const model = new Map<Session, string>();
		const at = (client: Client) => senders.receive(random.below(PLACES), client);
		for (let step = 0; step < 400; step++) {
			const session = random.below(SESSIONS) as Session;
			const client = someClient(random);
			if (!model.has(session)) {
				flows.add(session, at(client));
				model.set(session, wordsOf(client));
			} else if (random.below(2) === 0) {
				flows.move(session, at(client), step);
				model.set(session, wordsOf(client));
			} else {
				flows.remove(session);
				model.delete(session);
			}
			assert.equal(flows.count, model.size);
			const asked = someClient(random);
			const key = at(asked);
			const found = new Set<Session>();
			for (let each = flows.find(key); each !== NONE; each = flows.findNext(each, key)) found.add(each);
			const wanted = [...model].filter(([, words]) => words === wordsOf(asked)).map(([each]) => each);
			assert.deepEqual([...found].sort(byNumber), wanted.sort(byNumber), `seed ${seed}, step ${step}`);
			for (const each of model.keys()) assert.equal(flows.isAt(each, key), found.has(each));
			// Nobody is taken for the only one who is not.
			if (wanted.length > 1) for (const each of wanted) assert.ok(flows.isShared(each));
		}
	}
});

test("the session that a client began last is found first", () => {
	const flows = new Flows(4);
	const senders = new Senders();
	const key = senders.receive(0, { isV6: false, port: 1, host: 1, local: 0, listener: 0 });
	for (const session of [0, 1, 2] as Session[]) {
		flows.add(session, key);
		assert.equal(flows.find(key), session);
		assert.equal(flows.isShared(session), session > 0);
	}
	assert.ok(flows.isShared(0 as Session));
});

test("who has moved stays for half a second, and a row that is used again begins anew", () => {
	const flows = new Flows(1);
	const senders = new Senders();
	const session = 0 as Session;
	const here = senders.receive(0, { isV6: true, port: 1, host: 1, local: 0, listener: 0 });
	const there = senders.receive(1, { isV6: true, port: 2, host: 1, local: 0, listener: 0 });
	const startMs = 1e9;
	flows.add(session, here);
	assert.ok(flows.mayMove(session, startMs));
	flows.move(session, there, startMs);
	assert.equal(flows.mayMove(session, startMs + 499), false);
	assert.ok(flows.mayMove(session, startMs + 500));
	flows.answers[session] = 7;
	flows.questions[session] = 7;
	flows.remove(session);
	assert.equal(flows.find(there), NONE);
	flows.add(session, here);
	assert.ok(flows.mayMove(session, startMs));
	assert.deepEqual(
		[flows.answers[session], flows.questions[session], flows.isShared(session)],
		[0, 0, false],
	);
});

function byNumber(a: number, b: number): number {
	return a - b;
}
