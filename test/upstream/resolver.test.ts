import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Endpoint } from "../../src/config/config.js";
import type { Answer } from "../../src/upstream/addresses.js";
import { Resolver } from "../../src/upstream/resolver.js";
import type { Lookup } from "../../src/upstream/system-names.js";

const INTERVAL_MS = 30_000;
const NAME: Endpoint = { kind: "name", host: "app.internal", port: 443 };

interface Question {
	readonly host: string;
	answer(...addresses: string[]): Promise<void>;
	/** Nobody answered for the addresses of this family. */
	answerWithout(unanswered: 4 | 6, ...addresses: string[]): Promise<void>;
	fail(message: string): Promise<void>;
}

/** A resolver whose lookups the test answers when it likes, under a clock that the test moves. */
function setUp(): {
	resolver: Resolver;
	questions: Question[];
	events: string[];
	addresses: (host?: string) => string[];
} {
	mock.timers.enable({ apis: ["setTimeout"] });
	const questions: Question[] = [];
	const events: string[] = [];
	const lookup: Lookup = {
		lookUp: (host) =>
			new Promise<Answer>((resolve, reject) => {
				const answer = async (changes: Partial<Answer>, addresses: readonly string[]): Promise<void> => {
					const found = addresses.map(
						(address) => ({ address, family: address.includes(":") ? 6 : 4 }) as const,
					);
					resolve({ addresses: found, ...changes });
					await setImmediate();
				};
				questions.push({
					host,
					answer: (...addresses) => answer({}, addresses),
					answerWithout: (unanswered, ...addresses) => answer({ unanswered }, addresses),
					fail: async (message) => {
						reject(new Error(message));
						await setImmediate();
					},
				});
			}),
		close: () => events.push("closed"),
	};
	const resolver = new Resolver(
		{
			changed: (host) => events.push(`changed ${host}`),
			failed: (host, error, kept) => events.push(`failed ${host}: ${error.message}, kept: ${kept}`),
			recovered: (host) => events.push(`recovered ${host}`),
		},
		lookup,
	);
	const addresses = (host = "app.internal") =>
		resolver
			.targets({ kind: "name", host, port: 443 })
			.map((target) => (target.kind === "ip" ? `${target.address} ${target.family} ${target.port}` : ""));
	return { resolver, questions, events, addresses };
}

function resolverTest(title: string, body: (set: ReturnType<typeof setUp>) => Promise<void>): void {
	test(title, async () => {
		const set = setUp();
		try {
			await body(set);
		} finally {
			set.resolver.close();
			mock.timers.reset();
		}
	});
}

function last(questions: readonly Question[]): Question {
	const question = questions.at(-1);
	assert.ok(question, "nothing was asked");
	return question;
}

const FOLLOW = new Map([["app.internal", INTERVAL_MS]]);

resolverTest("literal addresses and sockets need no answer", async ({ resolver }) => {
	const ip: Endpoint = { kind: "ip", address: "10.0.0.5", family: 4, port: 443 };
	const unix: Endpoint = { kind: "unix", path: "/run/app.sock" };
	assert.deepEqual([...resolver.targets(ip), ...resolver.targets(unix)], [ip, unix]);
	assert.deepEqual(resolver.targets(NAME), [], "a name that is not followed has none");
});

resolverTest(
	"a name has no address until it was answered, then all of them",
	async ({ resolver, questions, events, addresses }) => {
		let settled = false;
		const first = resolver.follow(FOLLOW).then(() => {
			settled = true;
		});
		await setImmediate();
		assert.deepEqual(addresses(), []);
		assert.equal(settled, false);
		await last(questions).answer("10.0.0.2", "10.0.0.1", "fd00::1");
		await first;
		assert.deepEqual(addresses(), ["10.0.0.1 4 443", "10.0.0.2 4 443", "fd00::1 6 443"]);
		assert.deepEqual(events, ["changed app.internal"]);
	},
);

resolverTest(
	"it asks again at the interval, and not before the answer came",
	async ({ resolver, questions }) => {
		void resolver.follow(FOLLOW);
		mock.timers.tick(10 * INTERVAL_MS);
		assert.equal(questions.length, 1, "one question at a time");
		await last(questions).answer("10.0.0.1");
		mock.timers.tick(INTERVAL_MS - 1);
		assert.equal(questions.length, 1);
		mock.timers.tick(1);
		assert.equal(questions.length, 2);
		await last(questions).fail("SERVFAIL");
		mock.timers.tick(INTERVAL_MS);
		assert.equal(questions.length, 3, "a failure is no end");
	},
);

resolverTest("a new interval holds from the next answer on", async ({ resolver, questions }) => {
	void resolver.follow(FOLLOW);
	await resolver.follow(new Map([["app.internal", 1_000]]));
	assert.equal(questions.length, 1, "a name that is known is not asked anew");
	await last(questions).answer("10.0.0.1");
	mock.timers.tick(1_000);
	assert.equal(questions.length, 2);
});

resolverTest(
	"the same addresses in another order are no change",
	async ({ resolver, questions, events, addresses }) => {
		void resolver.follow(FOLLOW);
		await last(questions).answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
		events.length = 0;
		mock.timers.tick(INTERVAL_MS);
		await last(questions).answer("10.0.0.3", "10.0.0.1", "10.0.0.2");
		assert.deepEqual(events, []);
		assert.deepEqual(addresses(), ["10.0.0.1 4 443", "10.0.0.2 4 443", "10.0.0.3 4 443"]);
		mock.timers.tick(INTERVAL_MS);
		await last(questions).answer("10.0.0.3", "10.0.0.1");
		assert.deepEqual(events, ["changed app.internal"]);
	},
);

resolverTest(
	"an address that an answer holds twice is one address",
	async ({ resolver, questions, addresses }) => {
		void resolver.follow(FOLLOW);
		// getaddrinfo does so for /etc/hosts with `127.0.0.1 app` and `::1 app`, and for repeated lines.
		await last(questions).answer("10.0.0.1", "10.0.0.2", "10.0.0.1");
		assert.deepEqual(addresses(), ["10.0.0.1 4 443", "10.0.0.2 4 443"]);
	},
);

resolverTest("no more than 32 addresses of a name are used", async ({ resolver, questions, addresses }) => {
	void resolver.follow(FOLLOW);
	await last(questions).answer(...Array.from({ length: 100 }, (_, index) => `10.0.1.${index}`));
	assert.equal(addresses().length, 32);
});

resolverTest(
	"when it fails the last good answer stays, and the failure is told once",
	async ({ resolver, questions, events, addresses }) => {
		void resolver.follow(FOLLOW);
		await last(questions).answer("10.0.0.1");
		events.length = 0;
		for (const message of ["SERVFAIL", "SERVFAIL", "ETIMEOUT"]) {
			mock.timers.tick(INTERVAL_MS);
			await last(questions).fail(message);
			assert.deepEqual(addresses(), ["10.0.0.1 4 443"]);
		}
		assert.deepEqual(events, ["failed app.internal: SERVFAIL, kept: true"]);
		mock.timers.tick(INTERVAL_MS);
		await last(questions).answer("10.0.0.1");
		assert.deepEqual(events.slice(1), ["recovered app.internal"], "nothing changed meanwhile");
		mock.timers.tick(INTERVAL_MS);
		await last(questions).fail("ENOTFOUND");
		assert.deepEqual(events.slice(2), ["failed app.internal: ENOTFOUND, kept: true"], "another streak");
	},
);

resolverTest(
	"a name that never had an answer says so, and follow settles all the same",
	async ({ resolver, questions, events, addresses }) => {
		const first = resolver.follow(FOLLOW);
		await last(questions).fail("ENOTFOUND");
		await first;
		assert.deepEqual(events, ["failed app.internal: ENOTFOUND, kept: false"]);
		assert.deepEqual(addresses(), []);
		mock.timers.tick(INTERVAL_MS);
		await last(questions).answer("10.0.0.9");
		assert.deepEqual(events.slice(1), ["recovered app.internal", "changed app.internal"]);
	},
);

resolverTest(
	"a name that is no longer followed is forgotten, its late answer too",
	async ({ resolver, questions, events, addresses }) => {
		void resolver.follow(FOLLOW);
		const late = last(questions);
		await resolver.follow(new Map());
		await late.answer("10.0.0.1");
		assert.deepEqual(addresses(), []);
		assert.deepEqual(events, []);
		mock.timers.tick(10 * INTERVAL_MS);
		assert.equal(questions.length, 1);
	},
);

resolverTest(
	"a name that was dropped and taken up again does not take the answer to the earlier question",
	async ({ resolver, questions, events, addresses }) => {
		void resolver.follow(FOLLOW);
		const early = last(questions);
		await resolver.follow(new Map());
		void resolver.follow(FOLLOW);
		assert.equal(questions.length, 2);
		await early.answer("10.0.0.1");
		assert.deepEqual(addresses(), []);
		await last(questions).answer("10.0.0.2");
		assert.deepEqual(addresses(), ["10.0.0.2 4 443"]);
		assert.deepEqual(events, ["changed app.internal"]);
		mock.timers.tick(INTERVAL_MS);
		assert.equal(questions.length, 3, "one chain of questions, not two");
	},
);

resolverTest(
	"after close nothing is asked, and answers under way are ignored",
	async ({ resolver, questions, events }) => {
		void resolver.follow(
			new Map([
				["app.internal", INTERVAL_MS],
				["b", INTERVAL_MS],
				["c", INTERVAL_MS],
			]),
		);
		const [answered, answering, failing] = questions;
		await answered?.answer("10.0.0.1");
		events.length = 0;
		resolver.close();
		await answering?.answer("10.0.0.2");
		await failing?.fail("ENOTFOUND");
		mock.timers.tick(10 * INTERVAL_MS);
		assert.equal(questions.length, 3);
		assert.deepEqual(events, ["closed"]);
	},
);

resolverTest("names are followed each for itself", async ({ resolver, questions, events, addresses }) => {
	void resolver.follow(
		new Map([
			["a", 1_000],
			["b", 5_000],
		]),
	);
	for (const [index, question] of [...questions].entries()) await question.answer(`10.0.0.${index}`);
	mock.timers.tick(1_000);
	assert.deepEqual(
		questions.map(({ host }) => host),
		["a", "b", "a"],
	);
	await last(questions).fail("SERVFAIL");
	assert.deepEqual(addresses("b"), ["10.0.0.1 4 443"]);
	assert.deepEqual(events, ["changed a", "changed b", "failed a: SERVFAIL, kept: true"]);
});

resolverTest(
	"a name that fails is asked for soon, then ever more seldom, and at its interval when it is there again",
	async ({ resolver, questions, events }) => {
		void resolver.follow(new Map([["app.internal", 1_000]]));
		for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
			const { length } = questions;
			await last(questions).fail("ENOTFOUND");
			mock.timers.tick(seconds * 1_000 - 1);
			assert.equal(questions.length, length, `${seconds} s have not passed`);
			mock.timers.tick(1);
			assert.equal(questions.length, length + 1);
		}
		assert.deepEqual(events, ["failed app.internal: ENOTFOUND, kept: false"]);
		await last(questions).answer("10.0.0.1");
		const { length } = questions;
		mock.timers.tick(1_000);
		assert.equal(questions.length, length + 1);
	},
);

resolverTest(
	"addresses of a family that nobody answered for stay, as long as the other one is answered",
	async ({ resolver, questions, events, addresses }) => {
		void resolver.follow(FOLLOW);
		await last(questions).answer("10.0.0.1", "fd00::1");
		mock.timers.tick(INTERVAL_MS);
		await last(questions).answerWithout(6, "10.0.0.1");
		assert.deepEqual(events, ["changed app.internal"]);
		mock.timers.tick(INTERVAL_MS);
		await last(questions).answerWithout(4, "fd00::2");
		assert.deepEqual(addresses(), ["10.0.0.1 4 443", "fd00::2 6 443"]);
	},
);

resolverTest("all of very many names are asked for, none behind another", async ({ resolver, questions }) => {
	const names = new Map(
		Array.from({ length: 1_000 }, (_, index) => [`n${index}.test`, INTERVAL_MS] as const),
	);
	void resolver.follow(names);
	while (questions.length < 1_000) await setImmediate();
	assert.equal(new Set(questions.map(({ host }) => host)).size, 1_000);
});

resolverTest(
	"what is followed may change while very many names are being asked for",
	async ({ resolver, questions }) => {
		void resolver.follow(new Map(Array.from({ length: 1_000 }, (_, index) => [`n${index}.test`, 1_000])));
		const { length } = questions;
		void resolver.follow(FOLLOW);
		for (let turn = 0; turn < 20; turn++) await setImmediate();
		assert.equal(questions.length, length + 1);
		assert.equal(last(questions).host, "app.internal");
	},
);
