import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notice } from "../../src/reactor/plan/plan.js";
import { LineNews } from "../../src/reactor/records/line-news.js";

const TUNNEL = 7;

interface Told {
	readonly news: LineNews;
	/** The kinds of what is told at that time, message by message. */
	at(nowMs: number): string[][];
}

function told(): Told {
	const news = new LineNews();
	return {
		news,
		at(nowMs) {
			const messages: Notice[] = [];
			news.tell((notice) => messages.push(notice), nowMs);
			return messages.map((notice) => (notice.kind === "lines" ? notice.items.map(({ kind }) => kind) : []));
		},
	};
}

test("lines that requests borrow and give back within a moment are nothing to tell", () => {
	const { news, at } = told();
	for (let i = 0; i < 100; i++) {
		news.lend(TUNNEL, 1, 0);
		news.lend(TUNNEL, -1, 0);
	}
	assert.deepEqual([at(0), at(1)], [[], []]);
	assert.equal(news.dueMs, Number.POSITIVE_INFINITY);
});

test("the difference is told a moment later, and then there is nothing to come back for", () => {
	const { news, at } = told();
	news.lend(TUNNEL, 1, 10);
	news.lend(TUNNEL, 1, 10.5);
	assert.equal(news.dueMs, 11);
	assert.deepEqual(at(10.5), []);
	assert.deepEqual(at(11), [["taken", "taken"]]);
	assert.equal(news.dueMs, Number.POSITIVE_INFINITY);
	news.lend(TUNNEL, -1, 12);
	assert.deepEqual(at(13), [["returned"]]);
});

test("what was held back stands before other news of its tunnel, which is told at once", () => {
	const { news, at } = told();
	news.lend(TUNNEL, 1, 0);
	news.lend(TUNNEL + 1, 1, 0);
	news.add({ kind: "ended", tunnel: TUNNEL, was: "used", why: -1 });
	assert.deepEqual(at(0), [["taken", "ended"]]);
	assert.deepEqual(at(1), [["taken"]]);
});
