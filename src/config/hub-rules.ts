/** Rules of `hub`: what goes together there. What holds for the routes that lead to it is in `hub-route-rules.ts`. */
import { HUB_MESSAGE_MAX_BYTES, HUB_MESSAGES_IN_MEMORY } from "./bounds.js";
import * as defaults from "./defaults.js";
import { ANY_ORIGIN, coversChannels, parseChannelPattern } from "./hub-values.js";
import { HUB } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";
import { usualMessageBytes } from "./resolve-hub.js";
import type { Path, Report } from "./source.js";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.js";

const AT: Path = ["hub"];

export function checkHub(hub: unknown, report: Report): void {
	if (hub === undefined) return;
	const section = mapping(hub);
	checkHeartbeat(section, report);
	checkMessage(section, report);
	checkOrigins(section, report);
	for (const [index, channel] of list(section["channels"]).entries()) {
		const path = [...AT, "channels", index];
		checkRights(mapping(channel), section["keys"] !== undefined, path, report);
		checkOutbox(mapping(channel), section, path, report);
		checkReplay(mapping(channel), path, report);
	}
	checkMatches(list(section["channels"]), report);
}

function checkHeartbeat({ heartbeat, dead_after: deadAfter }: Mapping, report: Report): void {
	const every = heartbeat === undefined ? defaults.hub.heartbeatMs : attempt(heartbeat, parseDuration);
	const dead = deadAfter === undefined ? defaults.hub.deadAfterMs : attempt(deadAfter, parseDuration);
	if (every === null || dead === null || every < dead) return;
	report.problem(
		[...AT, deadAfter === undefined ? "heartbeat" : "dead_after"],
		`dead_after (${formatDuration(dead)}) must be longer than the heartbeat (${formatDuration(every)}), whose answer it waits for: healthy subscribers would be closed otherwise`,
	);
}

/** So many fit into memory that one does not displace what others wait for. */
function checkMessage({ memory, limits }: Mapping, report: Report): void {
	const { message } = mapping(limits);
	const bytes = sizeOf(message);
	const memoryBytes = memory === undefined ? defaults.hub.memoryBytes : sizeOf(memory);
	// That it is too long in any case is told elsewhere.
	if (bytes === null || memoryBytes === null || bytes > HUB_MESSAGE_MAX_BYTES) return;
	if (bytes * HUB_MESSAGES_IN_MEMORY <= memoryBytes) return;
	report.problem(
		[...AT, "limits", "message"],
		`message (${formatSize(bytes)}) is more than 1/${HUB_MESSAGES_IN_MEMORY} of hub.memory (${formatSize(memoryBytes)}), and one would displace what others wait for: raise hub.memory to ${formatSize(bytes * HUB_MESSAGES_IN_MEMORY)}, or lower this`,
	);
}

function checkOrigins({ origins }: Mapping, report: Report): void {
	const at = list(origins).indexOf(ANY_ORIGIN);
	if (at < 0 || list(origins).length === 1) return;
	report.problem([...AT, "origins", at], '"*" is for all origins: remove it, or remove the others');
}

/** Tokens need keys; and without any, who may subscribe must have been meant. */
function checkRights(channel: Mapping, hasKeys: boolean, path: Path, report: Report): void {
	if (hasKeys) return;
	if (channel["subscribe"] === undefined && channel["match"] !== undefined)
		report.problem(
			path,
			'without "keys" nobody has a token: write "subscribe: public", so that everybody may subscribe, or name a JWK Set under hub.keys',
		);
	for (const key of ["subscribe", "publish"])
		if (channel[key] === "token")
			report.problem(
				[...path, key],
				`"${key}: token" needs keys that tokens are signed with: name a JWK Set under hub.keys, or write ${key === "subscribe" ? "public" : "nobody"}`,
			);
}

/** What is too long for it would never be sent. */
function checkOutbox({ outbox }: Mapping, { memory, limits }: Mapping, path: Path, report: Report): void {
	const bytes = sizeOf(mapping(outbox)["bytes"]);
	const { message } = mapping(limits);
	const memoryBytes = memory === undefined ? defaults.hub.memoryBytes : sizeOf(memory);
	if (bytes === null || memoryBytes === null) return;
	const messageBytes = message === undefined ? usualMessageBytes(memoryBytes) : sizeOf(message);
	if (messageBytes === null || bytes >= messageBytes) return;
	report.problem(
		[...path, "outbox", "bytes"],
		`an outbox of ${formatSize(bytes)} has no room for a message of ${formatSize(messageBytes)}: raise this, or lower hub.limits.message`,
	);
}

function checkReplay({ replay }: Mapping, path: Path, report: Report): void {
	const { messages, age } = mapping(replay);
	if (age === undefined || messages !== undefined) return;
	report.problem(
		[...path, "replay", "age"],
		'"age" does nothing without "messages": add how many may be resumed from, such as messages: 1000',
		"key",
	);
}

/** The first match wins: an entry is dead when an earlier one matches all that it could. */
function checkMatches(channels: readonly unknown[], report: Report): void {
	const seen: { readonly match: string; readonly path: Path }[] = [];
	for (const [index, channel] of channels.entries()) {
		const match = attempt(mapping(channel)["match"], parseChannelPattern);
		if (match === null) continue;
		const path = [...AT, "channels", index, "match"];
		const over = seen.find((earlier) => coversChannels(earlier.match, match));
		if (over === undefined) seen.push({ match, path });
		else
			report.problem(
				path,
				over.match === match
					? `"${match}" stands on line ${report.lineOf(over.path)} already, and the first match holds: remove one of the two`
					: `no channel comes to this entry: the one on line ${report.lineOf(over.path)} (${over.match}) matches all that it could; move this one up, or remove it`,
			);
	}
}

/** `null` for what is absent or wrong. */
function sizeOf(value: unknown): number | null {
	return typeof value === "number" ? value : attempt(value, parseSize);
}

/** What stands there and does nothing. Looked for when nothing is wrong. */
export function checkUnusedHub({ hub, listeners }: Mapping, report: Report): void {
	if (hub === undefined) return;
	const { keys, memory, channels } = mapping(hub);
	const entries = list(channels).map(mapping);
	const isLedTo = list(listeners)
		.flatMap((listener) => list(mapping(listener)["routes"]))
		.some((route) => mapping(route)["to"] === HUB);
	if (!isLedTo)
		report.warning(
			AT,
			"no route leads to the hub, so that nobody can subscribe: add one such as { path: /channels/, to: hub }",
			"key",
		);
	if (keys !== undefined && !entries.some(asksForTokens))
		report.warning(
			[...AT, "keys"],
			'nothing asks for a token: all channels are public, and none tells who is there; remove "keys", or write "subscribe: token"',
			"key",
		);
	for (const [index, { presence, outbox }] of entries.entries()) {
		const path = [...AT, "channels", index];
		if (presence === "who" && keys === undefined)
			report.warning(
				[...path, "presence"],
				"who somebody is stands in his token, and there are no hub.keys: write count",
			);
		checkOutboxIsReached(outbox, memory, [...path, "outbox", "bytes"], report);
	}
}

/** Of an entry without `subscribe`, it is the default beside keys. */
function asksForTokens({ subscribe = "token", publish, presence }: Mapping): boolean {
	return subscribe === "token" || publish === "token" || presence === "who";
}

function checkOutboxIsReached(outbox: unknown, memory: unknown, path: Path, report: Report): void {
	const bytes = sizeOf(mapping(outbox)["bytes"]);
	const memoryBytes = sizeOf(memory) ?? defaults.hub.memoryBytes;
	if (bytes === null || bytes < memoryBytes) return;
	report.warning(
		path,
		`an outbox of ${formatSize(bytes)} is never full: what would wait in it is gone from hub.memory (${formatSize(memoryBytes)}) before; lower this, or raise hub.memory`,
	);
}
