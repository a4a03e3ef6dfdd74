/**
 * Cases of the Autobahn test suite, by their numbers (its groups 1 to 7 and 10; 9 measures speed, 12 and 13 are of compression, which
 * the hub declines), against an echo. Each is sent as one piece, and again byte by byte.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Echo } from "./echo.js";

const MOST = 1 << 20;
const KEY = [0x37, 0xfa, 0x21, 0x3d];

interface FrameParts {
	readonly fin?: boolean;
	readonly reserved?: number;
	readonly mask?: boolean;
}

/** A frame as a client sends it, right or wrong. */
function frame(opcode: number, payload: Uint8Array | string = "", parts: FrameParts = {}): Buffer {
	const { fin = true, reserved = 0, mask = true } = parts;
	const data = Buffer.from(payload as string);
	const length =
		data.length <= 125
			? [data.length]
			: data.length <= 0xffff
				? [126, data.length >> 8, data.length & 0xff]
				: [127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (data.length >>> shift) & 0xff)];
	const masked = mask ? data.map((byte, index) => byte ^ (KEY[index & 3] ?? 0)) : data;
	return Buffer.concat([
		Uint8Array.of(
			(fin ? 0x80 : 0) | (reserved << 4) | opcode,
			(mask ? 0x80 : 0) | (length[0] ?? 0),
			...length.slice(1),
		),
		Uint8Array.from(mask ? KEY : []),
		masked,
	]);
}

const text = (data: string | Uint8Array, fin = true): Buffer => frame(1, data, { fin });
const binary = (data: string | Uint8Array, fin = true): Buffer => frame(2, data, { fin });
const more = (data: string | Uint8Array, fin = true): Buffer => frame(0, data, { fin });
const ping = (data: string | Uint8Array = ""): Buffer => frame(9, data);
const pong = (data: string | Uint8Array = ""): Buffer => frame(10, data);
const close = (...payload: readonly number[]): Buffer => frame(8, Uint8Array.from(payload));
const code = (value: number): [number, number] => [value >> 8, value & 0xff];

/** What is to come back: `text …`, `binary N` by its length, `pong …`, `close CODE`. */
type Case = readonly [name: string, sent: readonly Buffer[], back: readonly string[]];

const NORMAL = close(...code(1000));
const big = (bytes: number): string => "*".repeat(bytes);
const hex = (digits: string): Buffer => Buffer.from(digits.replace(/ /g, ""), "hex");
const good = (data: Buffer): Case[1] => [text(data), NORMAL];

const CASES: readonly Case[] = [
	...[0, 125, 126, 127, 128, 65_535, 65_536].flatMap((bytes): Case[] => [
		[`1.1 text of ${bytes}`, [text(big(bytes)), NORMAL], [`text ${big(bytes)}`, "close 1000"]],
		[`1.2 bytes: ${bytes}`, [binary(big(bytes)), NORMAL], [`binary ${bytes}`, "close 1000"]],
	]),
	["2.1", [ping(), NORMAL], ["pong ", "close 1000"]],
	["2.2", [ping("Hello"), NORMAL], ["pong Hello", "close 1000"]],
	["2.4", [ping(big(125)), NORMAL], [`pong ${big(125)}`, "close 1000"]],
	["2.5", [frame(9, big(126))], ["close 1002"]],
	["2.7 to 2.9", [pong(), pong("x"), ping("y"), NORMAL], ["pong y", "close 1000"]],
	[
		"2.10",
		[...Array.from({ length: 10 }, (_, i) => ping(`${i}`)), NORMAL],
		[...[...Array(10).keys()].map((i) => `pong ${i}`), "close 1000"],
	],
	["3.1", [frame(1, "x", { reserved: 1 })], ["close 1002"]],
	["3.2", [text("ok"), frame(1, "x", { reserved: 2 }), ping()], ["text ok", "close 1002"]],
	["3.5", [frame(2, "x", { reserved: 4 })], ["close 1002"]],
	["3.6", [frame(9, "x", { reserved: 6 })], ["close 1002"]],
	["3.7", [frame(8, "", { reserved: 7 })], ["close 1002"]],
	...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode): Case[] => [
		[`4 opcode ${opcode}`, [frame(opcode), ping()], ["close 1002"]],
		[
			`4 opcode ${opcode} behind a message`,
			[text("ok"), frame(opcode, "x"), ping()],
			["text ok", "close 1002"],
		],
	]),
	["5.1", [frame(9, "a", { fin: false }), more("b")], ["close 1002"]],
	["5.2", [frame(10, "a", { fin: false }), more("b")], ["close 1002"]],
	["5.3", [text("one", false), more("two"), NORMAL], ["text onetwo", "close 1000"]],
	[
		"5.6",
		[text("one", false), ping("between"), more("two"), NORMAL],
		["pong between", "text onetwo", "close 1000"],
	],
	["5.9", [more("nothing to go on with"), text("x")], ["close 1002"]],
	["5.12", [more("nothing", false), text("x")], ["close 1002"]],
	["5.15", [text("a", false), more("b"), more("c", false), text("d")], ["text ab", "close 1002"]],
	["5.18", [text("a", false), text("b")], ["close 1002"]],
	[
		"5.19",
		[
			text("1", false),
			more("2", false),
			ping("p"),
			more("3", false),
			more("4", false),
			ping("q"),
			more("5"),
			NORMAL,
		],
		["pong p", "pong q", "text 12345", "close 1000"],
	],
	["6.1.1", [text(""), NORMAL], ["text ", "close 1000"]],
	["6.1.2", [text("", false), more("", false), more(""), NORMAL], ["text ", "close 1000"]],
	["6.1.3", [text("", false), more("middle", false), more(""), NORMAL], ["text middle", "close 1000"]],
	["6.2.1", good(Buffer.from("Hello-µ@ßöäüàá-UTF-8!!")), ["text Hello-µ@ßöäüàá-UTF-8!!", "close 1000"]],
	// Cut within each character.
	[
		"6.2.3",
		[
			...[...Buffer.from("Hello-µ@ß𐀀")].map((byte, i) =>
				i === 0 ? text(Uint8Array.of(byte), false) : more(Uint8Array.of(byte), false),
			),
			more(""),
			NORMAL,
		],
		["text Hello-µ@ß𐀀", "close 1000"],
	],
	["6.3.1", [text(hex("ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64"))], ["close 1007"]],
	[
		"6.4.1",
		[text(hex("ce ba e1 bd b9 cf 83 ce bc ce b5"), false), more(hex("f4 90 80 80"), false)],
		["close 1007"],
	],
	[
		"6.4.2",
		[text(hex("ce ba e1 bd b9 cf 83 ce bc ce b5 f4"), false), more(hex("90"), false)],
		["close 1007"],
	],
	...[
		"00",
		"7f",
		"c2 80",
		"df bf",
		"e0 a0 80",
		"ed 9f bf",
		"ee 80 80",
		"ef bf bf",
		"f0 90 80 80",
		"f4 8f bf bf",
		"ef bf be",
		"f0 9f bf be",
	].map(
		(digits): Case => [
			`6.6 to 6.23 ${digits}`,
			good(hex(digits)),
			[`text ${hex(digits).toString()}`, "close 1000"],
		],
	),
	...[
		"80",
		"bf",
		"80 bf",
		"c0 20",
		"fe",
		"ff",
		"c0",
		"e0 80",
		"f0 80 80",
		"f8 80 80 80",
		"fc 80 80 80 80",
		"c0 af",
		"e0 80 af",
		"f0 80 80 af",
		"c1 bf",
		"e0 9f bf",
		"f0 8f bf bf",
		"f4 90 80 80",
		"ed a0 80",
		"ed bf bf",
		"ed a0 80 ed b0 80",
		"ce",
	].map((digits): Case => [`6.10 to 6.21 ${digits}`, [text(hex(digits))], ["close 1007"]]),
	["7.1.1", [text("hi"), NORMAL], ["text hi", "close 1000"]],
	["7.1.2 and 3: nothing behind a close", [NORMAL, NORMAL, ping()], ["close 1000"]],
	["7.1.5", [text("a", false), NORMAL, more("b")], ["close 1000"]],
	["7.3.1", [close()], ["close none"]],
	["7.3.2", [close(3)], ["close 1002"]],
	["7.3.4", [close(...code(1000), ...Buffer.from("Hello"))], ["close 1000"]],
	["7.3.5", [close(...code(1000), ...Buffer.from(big(123)))], ["close 1000"]],
	["7.3.6", [frame(8, Buffer.concat([Uint8Array.from(code(1000)), Buffer.from(big(124))]))], ["close 1002"]],
	["7.5.1", [close(...code(1000), ...hex("ce ba ed a0 80"))], ["close 1007"]],
	...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map(
		(value): Case => [`7.7 ${value}`, [close(...code(value))], [`close ${value}`]],
	),
	...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535].map(
		(value): Case => [`7.9 and 7.13 ${value}`, [close(...code(value))], ["close 1002"]],
	),
	[
		"10.1.1",
		[...Array.from({ length: 50 }, (_, i) => frame(i === 0 ? 1 : 0, big(1_300), { fin: i === 49 })), NORMAL],
		[`text ${big(65_000)}`, "close 1000"],
	],
	// What the suite leaves to each server.
	["not masked", [frame(1, "x", { mask: false })], ["close 1002"]],
	["a message that is too large", [binary(big(MOST), false), more("x")], ["close 1009"]],
	["a frame that is too large", [frame(2, big(MOST + 1))], ["close 1009"]],
];

/** What the echo sent, in words. */
function said(bytes: Buffer): string[] {
	const found: string[] = [];
	for (let at = 0; at < bytes.length; ) {
		const [first = 0, second = 0] = bytes.subarray(at);
		const [header, length] =
			second < 126
				? [2, second]
				: second === 126
					? [4, bytes.readUInt16BE(at + 2)]
					: [10, Number(bytes.readBigUInt64BE(at + 2))];
		const payload = bytes.subarray(at + header, at + header + length);
		if (first === 0x81) found.push(`text ${payload}`);
		else if (first === 0x82) found.push(`binary ${length}`);
		else if (first === 0x8a) found.push(`pong ${payload}`);
		else if (first === 0x88) found.push(`close ${length === 0 ? "none" : payload.readUInt16BE(0)}`);
		else assert.fail(`a frame that begins with ${first}`);
		at += header + length;
	}
	return found;
}

test("each case of the suite ends as it is to", () => {
	for (const [name, sent, back] of CASES) {
		const all = Buffer.concat(sent);
		const pieces = all.length < 1_000 ? [all.length, 1, 3] : [all.length];
		for (const size of pieces) {
			const out: Uint8Array[] = [];
			const echo = new Echo((bytes) => out.push(bytes), MOST);
			for (let at = 0; at < all.length && !echo.isClosed; at += size)
				echo.take(Uint8Array.from(all.subarray(at, at + size)));
			assert.deepEqual(said(Buffer.concat(out)), back, `${name}, ${size} bytes at a time`);
		}
	}
});
