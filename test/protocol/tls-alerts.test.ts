import assert from "node:assert/strict";
import { test } from "node:test";
import { alertForHello, tlsAlert } from "../../src/protocol/index.js";

test("an alert is one record: fatal, in the version that every client takes before one is negotiated", () => {
	assert.deepEqual([...tlsAlert(70)], [0x15, 3, 1, 0, 2, 2, 70]);
});

test("what a hello is refused for decides its alert; decode_error is for what cannot be read", () => {
	for (const [fault, description] of [
		["record_type", 10],
		["message_type", 10],
		["record_empty", 10],
		["data_after_hello", 10],
		["record_too_long", 22],
		["extension_duplicate", 47],
		["extension_after_pre_shared_key", 47],
		["hello_too_long", 47],
		["too_many_records", 47],
		["extensions_length", 50],
		["record_version", 70],
		["hello_version", 70],
		["a fault that is not known", 50],
	] as const)
		assert.equal(alertForHello(fault).at(-1), description, fault);
});
