/** The recorded samples, and the checks that every sample of every format has to stand. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../../src/protocol/index.js";

/** Compiled, this file is dist/test/protocol/samples.js; the samples stay in the source tree. */
export const SAMPLES = new URL("../../../test/protocol/samples/", import.meta.url);

export function sampleNames(prefix: string): string[] {
	return readdirSync(SAMPLES)
		.filter((file) => file.startsWith(prefix) && file.endsWith(".hex"))
		.map((file) => file.slice(0, -".hex".length))
		.sort();
}

/** A sample file is hex in lines; lines that begin with `#` say what made it. */
export function sample(name: string): Uint8Array {
	const text = readFileSync(new URL(`${name}.hex`, SAMPLES), "latin1");
	return hex(text.replace(/^#.*$/gm, ""));
}

export function hex(text: string): Uint8Array {
	return new Uint8Array(Buffer.from(text.replace(/\s+/g, ""), "hex"));
}

export function latin1(text: string): Uint8Array {
	return new Uint8Array(Buffer.from(text, "latin1"));
}

export function concat(...parts: Uint8Array[]): Uint8Array {
	return new Uint8Array(Buffer.concat(parts));
}

/** What one parse said: the verdict and, as plain data, everything that the result object holds. */
export interface Outcome {
	readonly verdict: Verdict;
	readonly needBytes: number;
	readonly cause: string;
	/** Positions counted from the start of the input, so that outcomes at other offsets can be compared. */
	readonly result: unknown;
}

/** Parses bytes[start, end) with a result object that lives as long as the test run, as a reactor's does. */
export type Parse = (bytes: Uint8Array, start: number, end: number) => Outcome;

/** What fills the room around an input: bytes that every grammar here could go on with. */
const SURROUNDINGS = ["\r\n\r\n", "GET / HTTP/1.1\r\n", "\x16\x03\x01\x00\x05", "a", "\0", "\xff"].map(
	latin1,
);

/**
 * Parses an input alone and inside larger arrays, and demands the same answer everywhere: a parser that looked
 * outside its range would be moved by what it saw there.
 */
export function parseEverywhere(parse: Parse, input: Uint8Array): Outcome {
	const alone = parse(input, 0, input.length);
	assertConsistent(alone, input.length);
	for (const surroundings of SURROUNDINGS) {
		const inside = concat(surroundings, surroundings, input, surroundings, surroundings);
		const start = surroundings.length * 2;
		assert.deepEqual(parse(inside, start, start + input.length), alone);
	}
	return alone;
}

function assertConsistent(outcome: Outcome, haveBytes: number): void {
	if (outcome.verdict === NEED_MORE) {
		assert.ok(outcome.needBytes > haveBytes, `needs ${outcome.needBytes}, has ${haveBytes}`);
	} else {
		assert.equal(outcome.needBytes, 0);
	}
	assert.equal(outcome.cause !== "", outcome.verdict === MALFORMED, `cause "${outcome.cause}"`);
}

/**
 * Lets an input arrive byte by byte. However the network cuts it, the answer must be one: once a verdict is
 * reached it stays, and NEED_MORE never asks for more than a valid input has.
 */
export function parseGrowing(parse: Parse, input: Uint8Array): Outcome {
	const whole = parseEverywhere(parse, input);
	let decided = false;
	for (let length = 0; length < input.length; length++) {
		const outcome = parse(input, 0, length);
		assertConsistent(outcome, length);
		if (outcome.verdict === NEED_MORE) {
			assert.ok(!decided, `undecided again at ${length}`);
			if (whole.verdict === COMPLETE) {
				assert.ok(
					outcome.needBytes <= input.length,
					`at ${length} needs ${outcome.needBytes} of ${input.length}`,
				);
			}
			continue;
		}
		decided = true;
		assert.equal(outcome.verdict, whole.verdict, `at ${length} of ${input.length}: ${outcome.cause}`);
		if (whole.verdict === COMPLETE) assert.deepEqual(outcome, whole);
	}
	return whole;
}

/** The length at which an input is first decided, asking for exactly `needBytes` each time; counts the calls. */
export function parseAsAsked(parse: Parse, input: Uint8Array): { outcome: Outcome; calls: number } {
	let length = 0;
	for (let calls = 1; ; calls++) {
		const outcome = parse(input, 0, length);
		if (outcome.verdict !== NEED_MORE || length === input.length) return { outcome, calls };
		length = Math.min(outcome.needBytes, input.length);
	}
}
