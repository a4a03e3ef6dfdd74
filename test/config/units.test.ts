import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InvalidValue } from "../../src/config/errors.js";
import {
	DURATION_MAX_MS,
	DURATION_PATTERN,
	formatDuration,
	formatSize,
	parseDuration,
	parseSize,
	SIZE_MAX_BYTES,
	SIZE_PATTERN,
} from "../../src/config/units.js";

test("every duration reads back from its spelling", () => {
	fc.assert(
		fc.property(fc.integer({ min: 1, max: DURATION_MAX_MS }), (ms) => {
			assert.equal(parseDuration(formatDuration(ms)), ms);
			assert.match(formatDuration(ms), new RegExp(DURATION_PATTERN));
		}),
	);
});

test("every size reads back from its spelling", () => {
	fc.assert(
		fc.property(fc.integer({ min: 0, max: SIZE_MAX_BYTES }), (bytes) => {
			assert.equal(parseSize(formatSize(bytes)), bytes);
			assert.match(formatSize(bytes), new RegExp(SIZE_PATTERN));
		}),
	);
});

test("no text makes a parser do anything but answer or complain", () => {
	const text = fc.oneof(
		fc.string(),
		fc.string({ unit: "grapheme" }),
		fc.stringMatching(/^[0-9. -]{0,20}[a-zA-Z]{0,8}$/),
	);
	fc.assert(
		fc.property(text, fc.constantFrom(parseDuration, parseSize), (value, parse) => {
			try {
				const result = parse(value);
				assert.ok(Number.isSafeInteger(result) && result >= 0);
			} catch (error) {
				assert.ok(error instanceof InvalidValue, String(error));
			}
		}),
	);
});

test("durations have one of five units", () => {
	for (const [text, ms] of [
		["500ms", 500],
		["5s", 5_000],
		["10m", 600_000],
		["2h", 7_200_000],
		["1d", 86_400_000],
	] as const) {
		assert.equal(parseDuration(text), ms);
	}
});

test("sizes are binary, decimal or plain bytes", () => {
	for (const [text, bytes] of [
		["64KiB", 65_536],
		["64MiB", 67_108_864],
		["1GiB", 1_073_741_824],
		["1KB", 1_000],
		["2MB", 2_000_000],
		["3GB", 3_000_000_000],
		["512B", 512],
		["512", 512],
	] as const) {
		assert.equal(parseSize(text), bytes);
	}
});

test("a wrong duration is told how to be written", () => {
	for (const [text, message] of [
		["5", /write 5s or 5ms/],
		["5sec", /write 5s$/],
		["5 minutes", /write 5m$/],
		["5S", /write 5s$/],
		["5y", /use ms, s, m, h or d/],
		["5constructor", /use ms, s, m, h or d/],
		["1.5s", /write 1500ms instead/],
		["5 s", /no space.*write 5s/],
		["0s", /at least 1ms/],
		["25d", /at most 24d/],
		["9999999999999999999999d", /at most 24d/],
		["-5s", /expected a duration such as 5s/],
		["1h30m", /one unit: write 90m instead of 1h30m/],
		["1m 30s", /write 90s/],
		["1h30", /expected a duration such as 5s/],
		["", /expected a duration such as 5s/],
	] as const) {
		assert.throws(() => parseDuration(text), { name: "InvalidValue", message });
	}
});

test("a wrong size is told how to be written", () => {
	for (const [text, message] of [
		["64M", /write 64MiB \(× 1,024\) or 64MB/],
		["64mib", /write 64MiB/],
		["64kb", /write 64KiB/],
		["64 MiB", /no space.*write 64MiB/],
		["1.5GiB", /write 1536MiB instead/],
		["5parsecs", /use B, KiB, MiB or GiB/],
		["2048GiB", /at most 1024GiB/],
		["lots", /expected a size such as 64MiB/],
	] as const) {
		assert.throws(() => parseSize(text), { name: "InvalidValue", message });
	}
});
