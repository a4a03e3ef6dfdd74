import assert from "node:assert/strict";
import { test } from "node:test";
import * as exchanges from "../../src/reactor/modes/http1/columns.js";

test("each flag of an exchange has a bit of its own, which its column holds", () => {
	const states = new Set(["UNANSWERED", "OFFERED", "ANSWERED"]);
	const flags = Object.entries(exchanges).filter(
		([name, value]) => typeof value === "number" && !states.has(name),
	);
	assert.ok(flags.length > 10);
	const names = new Map<unknown, string>();
	for (const [name, flag] of flags) {
		assert.equal(names.get(flag), undefined, `${name} is ${names.get(flag)}`);
		names.set(flag, name);
		assert.ok(typeof flag === "number" && flag > 0 && flag < 1 << 16 && (flag & (flag - 1)) === 0, name);
	}
});
