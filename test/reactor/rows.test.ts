import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf } from "../../src/parts/columns.js";
import { classesOf, type ReactorRows, rowsOf } from "../../src/reactor/rows.js";

/** All columns of a reactor's rows, by class and name. */
function allOf(rows: ReactorRows): Map<string, { [index: number]: number; readonly length: number }> {
	const all = new Map<string, { [index: number]: number; readonly length: number }>();
	for (const [name, columns] of classesOf(rows))
		for (const [column, cells] of columnsOf(columns)) all.set(`${name}.${column}`, cells);
	return all;
}

test("every class of columns has cells of its own in the one buffer", () => {
	const all = allOf(rowsOf(3));
	assert.ok(all.size > 60, `${all.size} columns`);
	for (const [name, cells] of all) {
		for (let i = 0; i < cells.length; i++) cells[i] = 1;
		for (const [other, others] of all)
			if (other !== name)
				for (let i = 0; i < others.length; i++) assert.equal(others[i], 0, `${name} overlaps ${other}`);
		for (let i = 0; i < cells.length; i++) cells[i] = 0;
	}
});

test("another thread's view of the buffer shows the same cells under the same names", () => {
	const rows = rowsOf(5);
	const view = allOf(rowsOf(5, rows.table.buffer));
	let value = 1;
	for (const [name, cells] of allOf(rows)) {
		const last = cells.length - 1;
		cells[last] = value = (value % 100) + 1;
		assert.equal(view.get(name)?.[last], value, name);
	}
	assert.equal(view.size, allOf(rows).size);
});
