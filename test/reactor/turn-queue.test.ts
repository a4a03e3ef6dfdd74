import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Slot } from "../../src/reactor/table/numbers.js";
import { tableOf } from "../../src/reactor/table/table.js";
import { TurnQueue } from "../../src/reactor/table/turn-queue.js";

const ROWS = 6;

type Step =
	| { readonly kind: "add"; readonly row: number }
	| { readonly kind: "remove"; readonly row: number }
	/** Runs at most `most` rows; each of them adds and removes others. */
	| { readonly kind: "run"; readonly most: number; readonly meanwhile: readonly [number, number][] };

const row = fc.nat(ROWS - 1);
const steps: fc.Arbitrary<Step[]> = fc.array(
	fc.oneof(
		fc.record({ kind: fc.constant("add" as const), row }),
		fc.record({ kind: fc.constant("remove" as const), row }),
		fc.record({
			kind: fc.constant("run" as const),
			most: fc.nat(ROWS + 1),
			meanwhile: fc.array(fc.tuple(row, row), { maxLength: ROWS }),
		}),
	),
	{ maxLength: 60 },
);

test("it is a queue in which a row stands once, whatever is added and removed while it runs", () => {
	fc.assert(
		fc.property(steps, (all) => {
			const table = tableOf(ROWS);
			const rows = Array.from({ length: ROWS }, () => table.takeClient());
			const queue = new TurnQueue(table);
			let model: number[] = [];
			const add = (slot: number) => {
				queue.add(slot as Slot);
				if (!model.includes(slot)) model.push(slot);
			};
			const remove = (slot: number) => {
				queue.remove(slot as Slot);
				model = model.filter((other) => other !== slot);
			};
			for (const step of all) {
				if (step.kind === "add") add(rows[step.row] ?? 0);
				else if (step.kind === "remove") remove(rows[step.row] ?? 0);
				else {
					// Only what was there before may run, and in its order.
					let before = [...model];
					let left = step.most;
					const meanwhile = [...step.meanwhile];
					queue.run(
						(slot) => {
							left--;
							assert.equal(slot, before[0], "who runs next");
							before = before.slice(1);
							model = model.filter((other) => other !== slot);
							const [added, removed] = meanwhile.pop() ?? [];
							if (removed !== undefined) {
								remove(rows[removed] ?? 0);
								before = before.filter((other) => other !== rows[removed]);
							}
							if (added !== undefined) add(rows[added] ?? 0);
							add(slot);
						},
						() => left > 0,
					);
					if (left > 0) assert.deepEqual(before, [], "who was left out");
				}
				assert.equal(queue.length, model.length);
			}
			const rest: number[] = [];
			queue.run(
				(slot) => rest.push(slot),
				() => true,
			);
			assert.deepEqual(rest, model);
			assert.equal(queue.length, 0);
		}),
		{ numRuns: 500 },
	);
});
