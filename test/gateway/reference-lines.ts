/** Lines of sessions and requests as objects and `JSON.stringify` make them: what those that are made in place must equal. */
import type { Names, Naming } from "../../src/gateway/log-lines.js";
import { REASONS } from "../../src/parts/reasons.js";
import { causeName, NO_CAUSE } from "../../src/protocol/http/causes.js";
import { formatAddress, PROTOCOL_NAMES } from "../../src/protocol/index.js";
import {
	REQUEST_ANSWERED_HERE,
	REQUEST_PATH_CUT,
	REQUEST_REUSED,
} from "../../src/reactor/records/journal.js";
import type { RequestRecord, SessionRecord } from "../support/read-journal.js";

/** When lines are written, on both clocks. */
export interface Clock {
	readonly nowMs: number;
	readonly kernelMs: number;
}

function nameOf({ of, shown }: Naming, slot: number): string | null {
	if (slot < 0) return null;
	return shown === undefined ? of(slot) : shown(of(slot));
}

function time(ms: number, { nowMs, kernelMs }: Clock): string | null {
	if (ms === 0) return null;
	const date = new Date(ms + (nowMs - kernelMs));
	return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function line(fields: Readonly<Record<string, unknown>>, message: string, { nowMs }: Clock): string {
	const time = new Date(nowMs).toISOString();
	return `${JSON.stringify({ level: "info", time, ...fields, message })}\n`;
}

export function sessionFields(
	record: SessionRecord,
	names: Names,
	clock: Clock,
): Readonly<Record<string, unknown>> {
	return {
		id: record.id,
		listener: nameOf(names.listener, record.listener),
		route: nameOf(names.route, record.route),
		protocol: PROTOCOL_NAMES[record.protocol],
		name: record.name === "" ? null : record.name,
		source: formatEndpoint(record),
		upstream: nameOf(names.upstream, record.upstream),
		address: nameOf(names.address, record.address),
		accepted: time(record.acceptedMs, clock),
		...(record.securedMs === 0 ? {} : { secured: time(record.securedMs, clock) }),
		recognized: time(record.recognizedMs, clock),
		connected: time(record.connectedMs, clock),
		closed: time(record.closedMs, clock),
		bytes_from_client: record.bytesFromClient,
		bytes_to_client: record.bytesToClient,
		...tlsFields(record.tls),
		reason: REASONS[record.reason],
	};
}

export function sessionLine(record: SessionRecord, names: Names, clock: Clock): string {
	return line(sessionFields(record, names, clock), "session", clock);
}

export function requestFields(
	record: RequestRecord,
	names: Names,
	clock: Clock,
): Readonly<Record<string, unknown>> {
	const { flags, status } = record;
	const cut = (flags & REQUEST_PATH_CUT) === 0 ? "" : "…";
	return {
		session: record.id,
		listener: nameOf(names.listener, record.listener),
		route: nameOf(names.route, record.route),
		upstream: nameOf(names.upstream, record.upstream),
		address: nameOf(names.address, record.address),
		method: record.method === "" ? null : record.method,
		host: record.host === "" ? null : record.host,
		path: record.path === "" ? null : record.path + cut,
		status: status === 0 ? null : status,
		answered_by: status === 0 ? null : (flags & REQUEST_ANSWERED_HERE) !== 0 ? "sluice" : "upstream",
		reason: REASONS[record.reason] ?? null,
		cause: record.cause === NO_CAUSE ? null : causeName(record.cause),
		reused: (flags & REQUEST_REUSED) !== 0,
		bytes_from_client: record.bytesFromClient,
		bytes_to_client: record.bytesToClient,
		started: time(record.startedMs, clock),
		duration_ms: Math.round((record.endedMs - record.startedMs) * 1_000) / 1_000,
	};
}

export function requestLine(record: RequestRecord, names: Names, clock: Clock): string {
	return line(requestFields(record, names, clock), "request", clock);
}

function tlsFields(tls: string): Record<string, unknown> {
	if (tls === "") return {};
	const [version, cipher, resumed, alpn, subject, error] = tls.split("\t");
	const orNull = (text: string | undefined) => (text === undefined || text === "" ? null : text);
	const about = {
		version,
		cipher: orNull(cipher),
		resumed: orNull(resumed) === null ? null : resumed === "1",
		alpn: orNull(alpn),
		client_subject: orNull(subject),
	};
	return {
		tls: orNull(version) === null ? null : about,
		...(orNull(error) === null ? {} : { tls_error: error }),
	};
}

function formatEndpoint(record: SessionRecord): string {
	const address = formatAddress(record.source, 0, record.family);
	return record.family === 6 ? `[${address}]:${record.sourcePort}` : `${address}:${record.sourcePort}`;
}
