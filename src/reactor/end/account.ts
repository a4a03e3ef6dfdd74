/** Last step: what became of the session, for the log. Called by `close`, and only there. */

import { f64, i32, ref, u8, u16 } from "../../parts/at.js";
import { TEXT_MAX, tlsFactsText } from "../records/tls-facts.js";
import { BY_LINE } from "../table/marks.js";
import { NONE, type Session } from "../table/numbers.js";
import { isSecured } from "../wire/tls.js";
import type { EndContext } from "./context.js";

export function account(core: EndContext, client: Session, reason: number): void {
	if (core.logSessions) record(core, client, reason);
}

function record(core: EndContext, client: Session, reason: number): void {
	const { table, journal } = core;
	const { names } = table;
	const nameLength = names.lengthOf(client);
	const tls = tlsFactsOf(core, client);
	const entry = journal.begin(nameLength, tls.length);
	if (entry < 0) {
		dropped(core, client, reason);
		return;
	}
	journal.integer(entry, 1, u16(table.listener, client));
	journal.integer(entry, 2, ref(table.route, client));
	journal.integer(entry, 3, ref(table.upstream, client));
	journal.integer(entry, 4, ref(table.address, client));
	journal.integer(entry, 5, reason | (u8(table.protocol, client) << 8) | (u8(table.family, client) << 16));
	journal.integer(entry, 6, u16(table.sourcePort, client));
	journal.integer(entry, 7, nameLength | (tls.length << 8));
	journal.double(entry, 0, f64(table.number, client));
	journal.double(entry, 1, f64(table.acceptedMs, client));
	journal.double(entry, 2, table.recognizedMs(client));
	journal.double(entry, 3, table.connectedMs(client));
	journal.double(entry, 4, securedMsOf(core, client));
	journal.double(entry, 5, core.nowMs);
	journal.double(entry, 6, sentFromClient(core, client));
	journal.double(entry, 7, f64(table.sent, client));
	journal.source(entry, table.source, client * 16);
	journal.name(entry, names.bytesOf(client), names.startOf(client), nameLength);
	if (tls !== "") journal.tlsText(entry, nameLength, tls);
	if (journal.commit()) core.notify({ kind: "journal" });
}

/** The journal has no room, and has counted it. Who waits for a visitor's end is told in another way: nothing else tells of it. */
function dropped(core: EndContext, client: Session, reason: number): void {
	const { table, ownLineNews } = core;
	if ((i32(table.flags, client) & BY_LINE) === 0) return;
	ownLineNews.push({
		...{ kind: "ended", session: f64(table.number, client), reason },
		...{ fromVisitor: sentFromClient(core, client), toVisitor: f64(table.sent, client) },
	});
}

/** What its upstreams have been sent. */
function sentFromClient({ table, links }: EndContext, client: Session): number {
	const link = table.linkOf(client);
	const before = links.saidBefore(client, i32(table.flags, client));
	// Below zero while a PROXY header of ours has not gone out.
	return before + (link === NONE ? 0 : Math.max(0, f64(table.sent, link)));
}

/** A plain session's row of `secures` is not looked at: that it was never touched keeps it free. */
function securedMsOf(core: EndContext, session: Session): number {
	return isSecured(core, session) ? core.secures.securedMs(session, f64(core.table.acceptedMs, session)) : 0;
}

/** Empty when there is nothing to say. Asked before the session is freed. */
function tlsFactsOf(core: EndContext, session: Session): string {
	const error = core.tlsFailures.get(session) ?? "";
	const handle = isSecured(core, session) ? f64(core.secures.session, session) : 0;
	// None is chosen before the handshake is under way.
	const cipher = handle === 0 ? "" : core.tls.cipher(handle);
	if (cipher === "") return error === "" ? "" : tlsFactsText("", "", "", "", "", error);
	const { tls } = core;
	return tlsFactsText(
		tls.version(handle),
		cipher,
		tls.resumed(handle) ? "1" : "0",
		tls.alpn(handle),
		tls.peerSubject(handle).slice(0, TEXT_MAX),
		error,
	);
}
