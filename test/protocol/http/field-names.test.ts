import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
	FIELD_IDENTITY,
	FIELD_LOOKALIKE,
	FIELD_OTHER,
	fieldIdOf,
	KNOWN_NAMES,
	OTHER_IDENTITIES,
} from "../../../src/protocol/http/field-names.js";
import { latin1 } from "../samples.js";

/** Compiled, this file is dist/test/protocol/http/field-names.test.js. */
const DOCS = new URL("../../../../docs/configuration.md", import.meta.url);

test("the docs list the fields that are believed of trusted peers only, all and no others", () => {
	const text = readFileSync(DOCS, "utf8");
	const list = /<!-- identities -->\n([\s\S]*?)\n\n/.exec(text)?.[1] ?? "";
	const listed = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => (name ?? "").toLowerCase());
	const known = ["forwarded", "x-forwarded-…", ...OTHER_IDENTITIES];
	assert.deepEqual(listed.toSorted(), known.toSorted());
});

test("every known name is told from those that look like it", () => {
	const idOf = (name: string) => fieldIdOf(latin1(name), 0, name.length);
	const ids = new Map<string, number>();
	for (const bytes of KNOWN_NAMES) {
		const name = Buffer.from(bytes).toString("latin1");
		assert.ok(!ids.has(name), name);
		ids.set(name, idOf(name));
		assert.notEqual(idOf(name), FIELD_OTHER, name);
		assert.equal(idOf(name.toUpperCase()), idOf(name), name);
	}
	for (const name of ids.keys()) {
		for (let i = 0; i < name.length; i++) {
			for (const other of "~_.") {
				const changed = `${name.slice(0, i)}${other}${name.slice(i + 1)}`;
				const isPrefixed = /^x[-~_.]forwarded[-~_.]./.test(changed);
				const isLookalike = name[i] === "-";
				const expected = isLookalike ? FIELD_LOOKALIKE : isPrefixed ? FIELD_IDENTITY : FIELD_OTHER;
				assert.equal(idOf(changed), expected, changed);
			}
		}
	}
});
