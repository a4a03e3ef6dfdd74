/** Session records for the journal: random ones, and ones that follow from a number alone (so that two threads agree). */
import type { Journal } from "../../src/reactor/records/journal.js";
import type { RequestRecord, SessionRecord } from "../support/read-journal.js";

/** Writes a record as `account` does, and calls `tell` when the reader must be told. False when there was no room. */
export function write(journal: Journal, record: SessionRecord, tell: () => void = () => {}): boolean {
	const name = Buffer.from(record.name, "latin1");
	const entry = journal.begin(name.length, record.tls.length);
	if (entry < 0) return false;
	journal.integer(entry, 1, record.listener);
	journal.integer(entry, 2, record.route);
	journal.integer(entry, 3, record.upstream);
	journal.integer(entry, 4, record.address);
	journal.integer(entry, 5, record.reason | (record.protocol << 8) | (record.family << 16));
	journal.integer(entry, 6, record.sourcePort);
	journal.integer(entry, 7, name.length | (record.tls.length << 8));
	journal.double(entry, 0, record.id);
	journal.double(entry, 1, record.acceptedMs);
	journal.double(entry, 2, record.recognizedMs);
	journal.double(entry, 3, record.connectedMs);
	journal.double(entry, 4, record.securedMs);
	journal.double(entry, 5, record.closedMs);
	journal.double(entry, 6, record.bytesFromClient);
	journal.double(entry, 7, record.bytesToClient);
	journal.source(entry, record.source, 0);
	journal.name(entry, name, 0, name.length);
	journal.tlsText(entry, name.length, record.tls);
	if (journal.commit()) tell();
	return true;
}

/** Writes a record as the reactor does for a request. False when there was no room. */
export function writeRequest(journal: Journal, record: RequestRecord): boolean {
	const [method, path, host] = [record.method, record.path, record.host].map((text) =>
		Buffer.from(text, "latin1"),
	) as [Buffer, Buffer, Buffer];
	const entry = journal.beginRequest(method.length + path.length + host.length);
	if (entry < 0) return false;
	journal.integer(entry, 1, record.listener);
	journal.integer(entry, 2, record.route);
	journal.integer(entry, 3, record.upstream);
	journal.integer(entry, 4, record.address);
	journal.integer(entry, 5, record.status | ((record.reason + 1) << 16) | (record.flags << 24));
	journal.integer(entry, 6, method.length | (record.cause << 16));
	journal.integer(entry, 7, host.length | (path.length << 16));
	journal.double(entry, 0, record.id);
	journal.double(entry, 1, record.startedMs);
	journal.double(entry, 2, record.endedMs);
	journal.double(entry, 3, record.bytesFromClient);
	journal.double(entry, 4, record.bytesToClient);
	let position = 0;
	for (const part of [method, path, host]) {
		journal.requestText(entry, position, part, 0, part.length);
		position += part.length;
	}
	journal.commit();
	return true;
}

/** The record of session `id`: every field follows from it, and names have all lengths. */
export function recordOf(id: number): SessionRecord {
	const part = (factor: number, range: number) => (id * factor) % range;
	const source = new Uint8Array(16);
	for (let i = 0; i < 16; i++) source[i] = part(31 + i, 256);
	return {
		id,
		listener: part(7, 256),
		route: part(11, 65_537) - 1,
		upstream: part(13, 4_097) - 1,
		address: part(17, 4_097) - 1,
		reason: part(3, 24),
		protocol: part(5, 7),
		family: id % 2 === 0 ? 4 : 6,
		sourcePort: part(19, 65_536),
		source,
		name: String.fromCharCode(97 + (id % 26)).repeat(part(23, 256)),
		tls: id % 3 === 0 ? "t".repeat(part(29, 300)) : "",
		acceptedMs: id + 0.25,
		recognizedMs: id + 0.5,
		connectedMs: id % 3 === 0 ? 0 : id + 0.75,
		securedMs: id % 5 === 0 ? id + 0.375 : 0,
		closedMs: id * 2,
		bytesFromClient: id * 2 ** 20,
		bytesToClient: id * 2 ** 21,
	};
}
