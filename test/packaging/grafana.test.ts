/** The board of packaging/grafana: what Grafana cannot load, or would show two panels of in one place. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

interface Panel {
	readonly id: number;
	readonly type: string;
	readonly title: string;
	readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
	readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

const text = readFileSync(new URL("../../../packaging/grafana/sluice.json", import.meta.url), "utf8");
const { panels, templating } = JSON.parse(text) as {
	panels: Panel[];
	templating: { list: { name: string }[] };
};
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

test("panels have numbers and titles of their own, and lie beside each other", () => {
	assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
	assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
	const taken = new Set<string>();
	for (const { title, gridPos } of panels) {
		assert.ok(gridPos.x + gridPos.w <= 24, title);
		for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
			for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
				assert.ok(!taken.has(`${x} ${y}`), `${title} lies on another`);
				taken.add(`${x} ${y}`);
			}
	}
});

test("every figure is of the chosen processes, and nothing is asked for that is not chosen", () => {
	assert.ok(expressions.length > 50);
	for (const expression of expressions)
		for (const [, name, selector = ""] of expression.matchAll(/\b((?:sluice|process)_\w+)(\{[^}]*\})?/g))
			assert.equal(selector, '{job=~"$job", instance=~"$instance"}', name);
	const variables = new Set([...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name));
	assert.deepEqual([...variables].sort(), templating.list.map(({ name }) => name).sort());
});

scenario(
	"Prometheus understands every expression",
	async (scenario) => {
		const rules = expressions.map((expr, index) => ({
			record: `board:${index}`,
			// Grafana puts in what fits the width of the panel.
			expr: expr.replaceAll("$__rate_interval", "5m"),
		}));
		const file = join(scenario.directory, "board.yaml");
		writeFileSync(file, JSON.stringify({ groups: [{ name: "board", rules }] }));
		const { status, output } = await run("promtool", ["check", "rules", file]);
		assert.equal(status, 0, output);
	},
	{ needs: ["promtool"] },
);
