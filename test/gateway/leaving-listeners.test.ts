import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { LeavingListeners } from "../../src/gateway/leaving-listeners.js";
import type { OpenListener } from "../../src/gateway/listeners.js";

const CONFIG = loadConfigText(`
listeners:
  - { listen: 127.0.0.1:5301/udp, routes: [{ to: dns }] }
upstreams: { dns: { udp: 127.0.0.1:5300 } }
`);
const [LISTENER] = CONFIG.listeners;

/** So long a socket stays at least that nobody has a session at. */
const A_LOOK_MS = 500;

function opened(fd: number): OpenListener {
	assert.ok(LISTENER !== undefined);
	return { config: LISTENER, fds: [fd], port: 5301, told: { rests: false } };
}

function leaving(sessions: Readonly<Record<string, number>>): {
	readonly all: LeavingListeners;
	closed: number[];
} {
	const closed: number[] = [];
	return {
		all: new LeavingListeners(
			(name) => sessions[name] ?? 0,
			({ fds }) => closed.push(...fds),
		),
		closed,
	};
}

test("listeners that leave together are closed a look later, each of them", (t) => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const { all, closed } = leaving({});
	all.add("one", opened(1));
	all.add("two", opened(2));
	assert.deepEqual(closed, []);
	t.mock.timers.tick(A_LOOK_MS);
	assert.deepEqual(closed, [], "a reactor may be about to read one of them");
	t.mock.timers.tick(A_LOOK_MS);
	assert.deepEqual(closed, [1, 2]);
	assert.equal(all.present.size, 0);
});

test("a listener stays for as long as it has sessions", (t) => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const sessions: Record<string, number> = { one: 1 };
	const { all, closed } = leaving(sessions);
	all.add("one", opened(1));
	t.mock.timers.tick(10 * A_LOOK_MS);
	assert.deepEqual(closed, []);
	sessions["one"] = 0;
	t.mock.timers.tick(2 * A_LOOK_MS);
	assert.deepEqual(closed, [1]);
});

test("a listener that is used again is not closed", (t) => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const { all, closed } = leaving({});
	all.add("one", opened(1));
	t.mock.timers.tick(A_LOOK_MS);
	all.take("one");
	t.mock.timers.tick(2 * A_LOOK_MS);
	all.closeAll();
	assert.deepEqual(closed, []);
});

test("all are closed where no reactor runs any more", (t) => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const { all, closed } = leaving({ one: 1 });
	all.add("one", opened(1));
	all.closeAll();
	assert.deepEqual(closed, [1]);
	t.mock.timers.tick(2 * A_LOOK_MS);
	assert.deepEqual(closed, [1]);
});
