/** The config refuses the fields that the gateway could not prepare, and no others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FIELD_NAME_PATTERN, FIELD_VALUE_PATTERN, whyReserved } from "../../src/config/fields.js";
import { FieldEdits } from "../../src/protocol/http/edits.js";
import { KNOWN_NAMES } from "../../src/protocol/http/field-names.js";

function isPrepared(name: string, value = "x"): boolean {
	try {
		new FieldEdits({ [name]: value }, []);
		new FieldEdits({}, [name]);
		return true;
	} catch {
		return false;
	}
}

test("names are judged as where they are prepared", () => {
	const known = KNOWN_NAMES.map((bytes) => Buffer.from(bytes).toString("latin1"));
	assert.ok(known.length > 15);
	const others = [
		"x-forwarded-port",
		"X_Forwarded_Prefix",
		"cookie",
		"X-A",
		"server",
		"Sec-WebSocket-Protocol",
	];
	const spellings = known.flatMap((name) => [
		name,
		name.toUpperCase().replaceAll("-", "_"),
		name.replaceAll("-", "."),
	]);
	for (const name of [...spellings, ...others])
		assert.equal(whyReserved(name) === null, isPrepared(name), name);
	for (let code = 0; code < 300; code++) {
		const name = `X${String.fromCharCode(code)}`;
		assert.equal(FIELD_NAME_PATTERN.test(name), isPrepared(name), JSON.stringify(name));
	}
	assert.ok(!FIELD_NAME_PATTERN.test(""));
});

test("values are judged as where they are prepared", () => {
	for (let code = 0; code < 300; code++) {
		const character = String.fromCharCode(code);
		for (const value of [character, `a${character}`, `${character}a`, `a${character}a`])
			assert.equal(FIELD_VALUE_PATTERN.test(value), isPrepared("X", value), JSON.stringify(value));
	}
	assert.ok(FIELD_VALUE_PATTERN.test(""));
});
