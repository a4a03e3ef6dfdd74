import assert from "node:assert/strict";
import { mock, type TestContext, test } from "node:test";
import type { Logger } from "../../src/gateway/log.js";
import type { LineSink } from "../../src/gateway/log-writer.js";
import { SessionLog } from "../../src/gateway/session-log.js";
import { REASONS } from "../../src/parts/reasons.js";
import { HOST_MISSING, NO_CAUSE } from "../../src/protocol/http/causes.js";
import { PROTOCOL_TLS, PROTOCOL_UNKNOWN } from "../../src/protocol/index.js";
import {
	Journal,
	REQUEST_ANSWERED_HERE,
	REQUEST_PATH_CUT,
	REQUEST_REUSED,
} from "../../src/reactor/records/journal.js";
import {
	BAD_REQUEST,
	CLIENT_CLOSED,
	CLIENT_RESET,
	HANDSHAKE_TIMEOUT,
} from "../../src/reactor/records/reasons.js";
import { write, writeRequest } from "../reactor/journal-records.js";
import type { RequestRecord, SessionRecord } from "../support/read-journal.js";

interface Line {
	readonly level: "info" | "warn";
	readonly fields: Readonly<Record<string, unknown>>;
	readonly message: string;
}

/** Takes lines into memory. */
class Sink implements LineSink {
	readonly #lines: Line[];
	bytes = Buffer.alloc(0);
	readonly start = 0;
	/** Lines that have ended and were not sent. */
	unsent = 0;

	constructor(lines: Line[]) {
		this.#lines = lines;
	}

	begin(maxBytes: number): boolean {
		this.bytes = Buffer.alloc(maxBytes);
		return true;
	}

	end(end: number): void {
		const line = this.bytes.toString("utf8", 0, end);
		assert.ok(line.endsWith("}\n"));
		const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
		assert.ok(Math.abs(Date.now() - Date.parse(String(time))) < 60_000);
		this.#lines.push({ level: level as Line["level"], fields, message: String(message) });
		this.unsent++;
	}

	send(): void {
		this.unsent = 0;
	}
}

function setUp(t: TestContext, journals: readonly Journal[]): { log: SessionLog; lines: Line[]; sink: Sink } {
	mock.timers.enable({ apis: ["setTimeout"] });
	const lines: Line[] = [];
	const sink = new Sink(lines);
	const log = new SessionLog(journals, NAMES, warnings(lines), sink, true, () => {});
	t.after(() => {
		log.close();
		mock.timers.reset();
	});
	return { log, lines, sink };
}

const NAMES = {
	listener: { of: (slot: number) => `listener ${slot}` },
	route: { of: (slot: number) => `route ${slot}` },
	upstream: { of: (slot: number) => `upstream ${slot}` },
	address: { of: (slot: number) => `address ${slot}` },
};

/** The one call that the session log makes, of a logger that has many more. */
function warnings(lines: Line[]): Logger {
	const warn = (fields: Line["fields"], message: string) => lines.push({ level: "warn", fields, message });
	return { warn } as unknown as Logger;
}

/** Now, on the kernel's clock. */
function nowMs(): number {
	return Number(process.hrtime.bigint() / 1000n) / 1000;
}

function record(changes: Partial<SessionRecord> = {}): SessionRecord {
	const now = nowMs();
	return {
		id: 4_711,
		listener: 1,
		route: 2,
		upstream: 3,
		address: 4,
		reason: CLIENT_CLOSED,
		protocol: PROTOCOL_TLS,
		tls: "",
		family: 4,
		sourcePort: 50_000,
		source: Uint8Array.of(192, 0, 2, 7, ...new Array<number>(12).fill(0)),
		name: "git.example.com",
		acceptedMs: now - 3_000,
		recognizedMs: now - 2_000,
		connectedMs: now - 1_000,
		securedMs: 0,
		closedMs: now,
		bytesFromClient: 12,
		bytesToClient: 2 ** 40,
		...changes,
	};
}

test("a session's line says who came, where it went, when, how much, and why it ended", (t) => {
	const journal = new Journal();
	const { log, lines, sink } = setUp(t, [journal]);
	write(journal, record());
	log.drain();
	assert.equal(lines.length, 1);
	assert.equal(sink.unsent, 0);
	const { fields, message, level } = lines[0] ?? {};
	assert.deepEqual([message, level], ["session", "info"]);
	const { accepted, recognized, connected, closed, ...rest } = fields ?? {};
	assert.deepEqual(rest, {
		id: 4_711,
		listener: "listener 1",
		route: "route 2",
		protocol: "tls",
		name: "git.example.com",
		source: "192.0.2.7:50000",
		upstream: "upstream 3",
		address: "address 4",
		bytes_from_client: 12,
		bytes_to_client: 2 ** 40,
		reason: "client_closed",
	});
	const times = [accepted, recognized, connected, closed].map((time) => {
		assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
		return Date.parse(String(time));
	});
	const [first = 0, ...others] = times;
	// The clock's steps of a millisecond round each of them.
	for (const [index, time] of others.entries()) assert.ok(Math.abs(time - first - 1_000 * (index + 1)) <= 1);
	assert.ok(Math.abs(Date.now() - (times[3] ?? 0)) < 60_000, "real times, not the kernel's");
});

test("the line of a session whose TLS was terminated says when its handshake ended", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	const securedMs = nowMs() - 2_500;
	write(journal, record({ securedMs, acceptedMs: securedMs - 40 }));
	log.drain();
	const { accepted, secured } = lines[0]?.fields ?? {};
	const tookMs = Date.parse(String(secured)) - Date.parse(String(accepted));
	assert.ok(tookMs >= 39 && tookMs <= 41, `${tookMs} ms`);
});

function request(changes: Partial<RequestRecord> = {}): RequestRecord {
	const now = nowMs();
	return {
		id: 4_711,
		listener: 1,
		route: 2,
		upstream: 3,
		address: 4,
		status: 200,
		reason: -1,
		cause: NO_CAUSE,
		flags: REQUEST_REUSED,
		method: "GET",
		path: "/a",
		host: "app.test",
		startedMs: now - 12.3456,
		endedMs: now,
		bytesFromClient: 12,
		bytesToClient: 2 ** 40,
		...changes,
	};
}

test("a request's line says what was asked, who answered what, how fast, and of which session it is", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	writeRequest(journal, request());
	log.drain();
	const { fields, message, level } = lines[0] ?? {};
	assert.deepEqual([message, level], ["request", "info"]);
	const { started, ...rest } = fields ?? {};
	assert.deepEqual(rest, {
		session: 4_711,
		listener: "listener 1",
		route: "route 2",
		upstream: "upstream 3",
		address: "address 4",
		method: "GET",
		host: "app.test",
		path: "/a",
		status: 200,
		answered_by: "upstream",
		reason: null,
		cause: null,
		reused: true,
		bytes_from_client: 12,
		bytes_to_client: 2 ** 40,
		duration_ms: 12.346,
	});
	assert.ok(Math.abs(Date.now() - Date.parse(String(started))) < 60_000);
});

test("a request that was not understood, or not answered, has null for what is not known of it", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	const unknown = { route: -1, upstream: -1, address: -1, method: "", path: "", host: "" };
	const refusal = { status: 400, reason: BAD_REQUEST, cause: HOST_MISSING, flags: REQUEST_ANSWERED_HERE };
	writeRequest(journal, request({ ...unknown, ...refusal }));
	writeRequest(journal, request({ status: 0, reason: CLIENT_RESET, flags: REQUEST_PATH_CUT }));
	log.drain();
	const [refused = {}, cut = {}] = lines.map(({ fields }) => fields);
	for (const key of ["route", "upstream", "address", "method", "path", "host"])
		assert.equal(refused[key], null, key);
	assert.deepEqual(
		[refused["answered_by"], refused["reason"], refused["cause"], refused["reused"]],
		["sluice", "bad_request", "host_missing", false],
	);
	assert.deepEqual(
		[cut["answered_by"], cut["status"], cut["reason"], cut["path"]],
		[null, null, "client_reset", "/a…"],
	);
});

test("what a session never had is null", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	write(
		journal,
		record({
			route: -1,
			upstream: -1,
			address: -1,
			name: "",
			protocol: PROTOCOL_UNKNOWN,
			recognizedMs: 0,
			connectedMs: 0,
			reason: HANDSHAKE_TIMEOUT,
		}),
	);
	log.drain();
	const fields = lines[0]?.fields ?? {};
	for (const key of ["route", "upstream", "address", "name", "recognized", "connected"])
		assert.equal(fields[key], null, key);
	assert.equal(fields["reason"], "handshake_timeout");
	assert.equal(typeof fields["protocol"], "string");
});

test("an IPv6 source is written so that its port can be told apart", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	const source = new Uint8Array(16);
	source.set([0x20, 0x01, 0x0d, 0xb8]);
	source[15] = 1;
	write(journal, record({ family: 6, source, sourcePort: 7 }));
	log.drain();
	assert.equal(lines[0]?.fields["source"], "[2001:db8::1]:7");
});

test("every reason has its name", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	for (let reason = 0; reason < REASONS.length; reason++) write(journal, record({ reason }));
	log.drain();
	assert.deepEqual(
		lines.map(({ fields }) => fields["reason"]),
		[...REASONS],
	);
});

test("lines come within a second of being told, from all reactors, and the last ones at close", (t) => {
	const journals = [new Journal(), new Journal()];
	const { log, lines } = setUp(t, journals);
	const ids = () => lines.map(({ fields }) => fields["id"]);
	const write2 = (first: number) => {
		for (const [index, journal] of journals.entries())
			write(journal, record({ id: first + index }), () => log.told());
	};
	write2(0);
	assert.deepEqual(ids(), []);
	mock.timers.tick(1_000);
	assert.deepEqual(ids(), [0, 1]);
	// It has fallen asleep again, and is told again.
	mock.timers.tick(60_000);
	write2(10);
	mock.timers.tick(1_000);
	assert.deepEqual(ids(), [0, 1, 10, 11]);
	write2(20);
	log.close();
	assert.deepEqual(ids(), [0, 1, 10, 11, 20, 21]);
});

test("a journal that is half full is read at once", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	write(journal, record(), () => log.told());
	assert.equal(lines.length, 0);
	while (lines.length === 0)
		assert.ok(
			write(journal, record(), () => log.told()),
			"it is full, and was not read",
		);
	assert.ok(lines.length > 1_000);
});

test("a journal that holds records already is read without being told", (t) => {
	const journal = new Journal();
	write(journal, record());
	const { lines } = setUp(t, [journal]);
	mock.timers.tick(1_000);
	assert.equal(lines.length, 1);
});

test("nothing is read after close, and no timer is left", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	log.close();
	// A reactor's last notice may still be under way.
	write(journal, record(), () => log.told());
	log.told();
	mock.timers.tick(60_000);
	assert.equal(lines.length, 0);
});

test("lines that were dropped are told, each once", (t) => {
	const journals = [new Journal(), new Journal()];
	const { log, lines } = setUp(t, journals);
	for (const journal of journals) while (write(journal, record()));
	const warnings = () => lines.filter(({ level }) => level === "warn").map(({ fields }) => fields["lines"]);
	assert.equal(log.dropped, 2);
	log.drain();
	assert.deepEqual(warnings(), [2]);
	log.drain();
	assert.deepEqual(warnings(), [2]);
	const [first] = journals;
	while (first !== undefined && write(first, record()));
	log.drain();
	assert.deepEqual(warnings(), [2, 1]);
	assert.equal(log.dropped, 3);
});

test("what there is to say about TLS stands in the line, and nothing where there is nothing", (t) => {
	const journal = new Journal();
	const { log, lines } = setUp(t, [journal]);
	write(journal, record({ tls: "TLSv1.3\tTLS_AES_128_GCM_SHA256\t1\thttp/1.1\tCN=me\t" }));
	write(journal, record({ tls: "\t\t\t\t\tno shared cipher" }));
	write(journal, record());
	log.drain();
	const [first, second, third] = lines.map(({ fields }) => fields);
	assert.deepEqual(first?.["tls"], {
		version: "TLSv1.3",
		cipher: "TLS_AES_128_GCM_SHA256",
		resumed: true,
		alpn: "http/1.1",
		client_subject: "CN=me",
	});
	assert.ok(!("tls_error" in (first ?? {})));
	assert.deepEqual([second?.["tls"], second?.["tls_error"]], [null, "no shared cipher"]);
	assert.ok(!("tls" in (third ?? {})) && !("tls_error" in (third ?? {})));
});

test("lines that the log's level leaves out are taken from the journals all the same", (t) => {
	const journal = new Journal();
	const lines: Line[] = [];
	const log = new SessionLog([journal], NAMES, warnings(lines), undefined, true, () => {});
	t.after(() => log.close());
	while (write(journal, record()));
	log.drain();
	assert.equal(journal.fill, 0);
	assert.deepEqual(
		lines.map(({ fields }) => fields["lines"]),
		[1],
	);
});
