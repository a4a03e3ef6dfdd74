/** What a session that idles has written of its rows: that is the memory that it costs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { columnsOf } from "../../src/parts/columns.js";
import { classesOf } from "../../src/reactor/rows.js";
import { RELAY } from "../../src/reactor/table/states.js";
import { Harness } from "./harness.js";

/** Of all columns there are, not only the table's. A byte more for each of a million sessions is a megabyte. */
const WRITTEN_MAX = 116;

test("a relayed session that has asked, was answered and idles has written 116 bytes of its rows at most", (t) => {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const listening = upstreams.upstream();
	const harness = new Harness(t, { sessions: 8, routes: [{}], upstreamPorts: [listening.port] });
	const { core } = harness.reactor;
	const client = harness.client();
	let upstream = -EAGAIN;
	harness.turnUntil(() => {
		if (upstream < 0) upstream = harness.outside.accept(listening.fd, 0);
		return upstream >= 0 && core.table.state.includes(RELAY);
	}, "the upstream");
	harness.send(client, "a question");
	harness.turnUntil(() => harness.receive(upstream) === "a question", "the question");
	harness.send(upstream, "an answer");
	harness.turnUntil(() => harness.receive(client) === "an answer", "the answer");
	// It is looked at once more, and given what lasting sessions have.
	harness.pass(5_000);
	const written = writtenBytes(harness);
	const columns = [...written].map(([name, bytes]) => `${name} ${bytes}`).join(", ");
	const total = [...written.values()].reduce((sum, bytes) => sum + bytes, 0);
	assert.ok(total <= WRITTEN_MAX, `${total} bytes: ${columns}`);
	assert.ok((written.get("table.sent") ?? 0) === 16 && total > WRITTEN_MAX / 2, "the columns are looked at");
});

/** Bytes of cells that are not 0, by their columns' names. */
function writtenBytes(harness: Harness): Map<string, number> {
	const { table, inboxes, secures, paces, links, lines, exchanges, hubColumns } = harness.reactor.core;
	const written = new Map<string, number>();
	for (const [name, columns] of classesOf({
		table,
		inboxes,
		secures,
		paces,
		links,
		lines,
		exchanges,
		hubColumns,
	}))
		for (const [column, cells] of columnsOf(columns)) {
			const bytes =
				(cells as Uint8Array).BYTES_PER_ELEMENT * Array.from(cells).filter((cell) => cell !== 0).length;
			if (bytes > 0) written.set(`${name}.${column}`, bytes);
		}
	return written;
}
