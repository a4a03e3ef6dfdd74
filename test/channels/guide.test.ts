/** What docs/hub.md says of policies, limits and sizes is what the code does. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { encodeMessage } from "../../src/channels/encode.js";
import { ChannelLog, type SlowPolicy } from "../../src/channels/log.js";
import { CHANNEL_NAME_MAX_BYTES } from "../../src/channels/names.js";
import { PROTOCOLS } from "../../src/channels/protocols.js";
import {
	Delivery,
	GAP,
	nextDelivery,
	OVERFLOW,
	pass,
	SEND,
	subscribeNow,
} from "../../src/channels/subscription.js";
import * as defaults from "../../src/config/defaults.js";
import { formatDuration, formatSize } from "../../src/config/units.js";
import { KEYS_MAX } from "../../src/hub/keys.js";
import { ASKED_MAX } from "../../src/reactor/modes/hub/columns.js";
import { Subscriptions } from "../../src/reactor/modes/hub/subscriptions.js";
import { ROOT } from "../support/pieces.js";

const page = readFileSync(`${ROOT}docs/hub.md`, "utf8");

/** Of the drawing: messages 13 to 20 wait for somebody whose outbox has room for four. */
function sentBy(policy: SlowPolicy): string {
	const log = new ChannelLog({ bytes: 65_536, channels: 1, reactors: 1 });
	const encodings = Array.from({ length: PROTOCOLS }, () => Buffer.from("x"));
	const newest = new Map<string, number>();
	const publish = (sequence: number, key?: string): void => {
		const position = log.append(0, sequence, 0, 0, 1, encodings);
		const before = key === undefined ? undefined : newest.get(key);
		if (before !== undefined) log.supersede(before);
		if (key !== undefined) newest.set(key, position);
	};
	for (let sequence = 1; sequence <= 12; sequence++) publish(sequence);
	const subscription = subscribeNow(log, 0);
	for (const [index, key] of [..."abaababa"].entries()) publish(13 + index, key);
	const out = new Delivery();
	const told: string[] = [];
	for (;;) {
		nextDelivery(log, 0, 0, { policy, messages: 4, bytes: 1_000 }, subscription, out);
		if (out.kind === GAP) told.push(`gap: ${out.missed} missed,`);
		else if (out.kind === OVERFLOW) return "closed with 4409";
		else if (out.kind !== SEND)
			return told
				.join(" ")
				.replace(/,$/, "")
				.replace(/(\d) gap/, "$1, gap");
		else {
			told.push(String(log.sequence(out.position)));
			pass(log, subscription);
			log.endRead(0);
		}
	}
}

for (const policy of ["drop-oldest", "drop-newest", "conflate", "disconnect"] as const)
	test(`${policy} does what the drawing says`, () => {
		const [, drawn = ""] =
			new RegExp(`${policy} +(.*?)(?: {2,}|$)`, "m").exec(page.slice(page.indexOf("13a"))) ?? [];
		assert.equal(sentBy(policy), drawn.replaceAll(/(\d)[ab]\b/g, "$1"));
	});

/** A number that is one file's own. */
function constant(file: string, name: string): number {
	const [, value = ""] =
		new RegExp(`const ${name} = ([\\d_ *]+);`).exec(readFileSync(`${ROOT}src/${file}`, "utf8")) ?? [];
	return value
		.split("*")
		.map((part) => Number(part.replaceAll("_", "")))
		.reduce((product, factor) => product * factor, 1);
}

const number = (value: number): string => value.toLocaleString("en");
const size = (bytes: number): string => formatSize(bytes).replace(/(\d)([A-Z])/, "$1 $2");
const duration = (ms: number): string => formatDuration(ms).replace(/(\d)([a-z])/, "$1 $2");

test("the table of limits has the program's numbers", () => {
	const { limits, memoryBytes, outbox, replay, deadAfterMs } = defaults.hub;
	const rows: readonly (readonly [string, string])[] = [
		["`hub.memory`", size(memoryBytes)],
		["`hub.limits.channels`", number(limits.channels)],
		["`hub.limits.subscribers_per_channel`", number(limits.subscribersPerChannel)],
		["`hub.limits.subscriptions`", number(limits.subscriptions)],
		["`hub.limits.message`", size(limits.messageBytes)],
		["`hub.limits.presence`", number(limits.presence)],
		["`outbox` of the channel", `${outbox.messages} messages, ${size(outbox.bytes)}`],
		["`replay` of the channel", `none, ${duration(replay.ageMs).replace("60 min", "1 h")}`],
		["a channel's name", `${CHANNEL_NAME_MAX_BYTES} bytes`],
		["a key", `${constant("hub/hub.ts", "KEY_MAX_BYTES")} bytes`],
		["channels that one request names", number(constant("hub/request.ts", "CHANNELS_MAX"))],
		["messages of a client that wait for their answers", number(ASKED_MAX)],
		["fragments of a client's message", number(constant("reactor/modes/hub/incoming.ts", "FRAGMENTS_MAX"))],
		["answers that wait", size(constant("reactor/modes/hub/send.ts", "SAID_MAX_BYTES"))],
		["`limits.buffered_bytes`", size(defaults.limits.bufferedBytes)],
		["`timeouts.handshake`", duration(defaults.timeouts.handshakeMs)],
		["`timeouts.stall`", duration(defaults.timeouts.stallMs)],
		["`hub.dead_after`", duration(deadAfterMs)],
		["who follows channels on the admin port", number(constant("admin/followers.ts", "FOLLOWERS_MAX"))],
		[
			"entries of `hub.channels`",
			`${["ENTRIES_MAX", "ORIGINS_MAX"].map((name) => number(constant("config/schema-hub.ts", name))).join("; ")}; ${KEYS_MAX}`,
		],
	];
	const table = page.slice(page.indexOf("## Limits"), page.indexOf("## Heartbeats")).split("\n");
	for (const [name, value] of rows) {
		const row = table.find((line) => line.includes(name));
		assert.ok(
			row?.split("|").some((cell) => cell.includes(value)),
			`${name}: ${value}`,
		);
	}
	assert.match(page, new RegExp(`for \`heartbeat\` \\(${duration(defaults.hub.heartbeatMs)}\\)`));
});

test("messages take as much of the log as the page says, and subscriptions as much of a reactor's memory", () => {
	const count = (bytes: number): number => {
		const log = new ChannelLog({ bytes: defaults.hub.memoryBytes, channels: 1, reactors: 1 });
		for (let sequence = 1; log.tail === 0; sequence++) {
			const id = { epoch: Date.now(), sequence };
			log.append(0, sequence, 0, 0, bytes, encodeMessage({ channel: "prices", id, data: "x".repeat(bytes) }));
		}
		return log.count(0);
	};
	for (const [bytes, text] of [
		[200, "36,000 messages of 200 bytes"],
		[1_000, "10,000 of 1,000"],
	] as const) {
		assert.match(page, new RegExp(text.replaceAll(" ", "\\s")));
		const said = Number(text.split(" ")[0]?.replace(",", ""));
		const there = count(bytes);
		assert.ok(Math.abs(there - said) < 0.05 * said, `${there} messages of ${bytes} bytes`);
		assert.ok(defaults.hub.memoryBytes / there < 1.05 * (3 * bytes + 300));
	}
	const rows = new Subscriptions();
	const columns = Object.values(rows).filter((column) => ArrayBuffer.isView(column));
	const perRow = columns.reduce((sum, column) => sum + (column as Float64Array).BYTES_PER_ELEMENT, 0);
	assert.ok(page.includes(`${perRow} bytes for each channel`), `${perRow} bytes`);
});
