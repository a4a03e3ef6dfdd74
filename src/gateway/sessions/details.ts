/** All that is known of one session: its next deadlines, as its reactor would find them, and what the kernel knows of its connections. */
import type { LiveSession, NextDeadline, SessionDetails, TcpFacts } from "../../admin/session-view.js";
import { type TcpInfo, tcpInfo } from "../../kernel/tcp-info.js";
import { f64, i32, u8 } from "../../parts/at.js";
import { fractionFor } from "../../parts/jitter.js";
import { NONE } from "../../parts/none.js";
import { PROTOCOL_QUIC } from "../../protocol/index.js";
import type { Policy } from "../../reactor/plan/plan.js";
import type { ReactorRows } from "../../reactor/rows.js";
import { HAD_REQUESTS } from "../../reactor/table/marks.js";
import type { Session, Slot } from "../../reactor/table/numbers.js";
import {
	DATAGRAM,
	DIAL,
	EXCHANGE,
	FRAMES,
	RELAY,
	REQUEST,
	SECURE,
	SNIFF,
} from "../../reactor/table/states.js";
import { LIFETIME_JITTER } from "../../reactor/wire/liveness.js";
import type { WallClock } from "./clock.js";

/** `policy`: what the session is held to. */
export function detailsOf(
	live: LiveSession,
	rows: ReactorRows,
	row: Session,
	policy: Policy | undefined,
	clock: WallClock,
): SessionDetails {
	const { table } = rows;
	const link = table.linkOf(row);
	const deadlines: NextDeadline[] = [];
	if (policy !== undefined)
		for (const [timeout, atMs] of dueOf(rows, row, policy, clock.nowMs))
			if (atMs < Number.POSITIVE_INFINITY)
				deadlines.push({ timeout, at: clock.at(atMs), in_ms: Math.round(atMs - clock.nowMs) });
	deadlines.sort((a, b) => a.in_ms - b.in_ms);
	return {
		...live,
		routed: live.route === null ? null : clock.atOrNull(routedMs(rows, row)),
		dialled: clock.atOrNull(table.dialledMs(row)),
		waits_for_rate_ms: Math.max(0, Math.ceil(f64(rows.paces.heldMs, row) - clock.nowMs)),
		deadlines,
		client_tcp: factsOf(tcpInfo(i32(table.fd, row))),
		upstream_tcp: link === NONE ? null : factsOf(tcpInfo(i32(table.fd, link))),
	};
}

/** A route is looked for as soon as it is known what a session speaks; and for each request anew. */
function routedMs({ table, exchanges }: ReactorRows, row: Session): number {
	const hadRequests = (i32(table.flags, row) & HAD_REQUESTS) !== 0;
	return hadRequests ? f64(exchanges.startedMs, row) : table.recognizedMs(row);
}

function factsOf(info: TcpInfo | undefined): TcpFacts | null {
	if (info === undefined) return null;
	return {
		round_trip_ms: info.roundTripMicroseconds / 1_000,
		round_trip_variation_ms: info.variationMicroseconds / 1_000,
		retransmits: info.retransmits,
		unacknowledged: info.unacknowledged,
		congestion_window: info.congestionWindow,
		received_ago_ms: info.receivedAgoMs,
		sent_ago_ms: info.sentAgoMs,
	};
}

/** By their names in `timeouts`. What a turn of its reactor would add (bytes that wait to be read) is not seen from here. */
function* dueOf(rows: ReactorRows, row: Session, policy: Policy, nowMs: number): Generator<[string, number]> {
	const { table } = rows;
	const acceptedMs = f64(table.acceptedMs, row);
	const link = table.linkOf(row);
	if (policy.lifetimeMs > 0)
		yield ["lifetime", acceptedMs + policy.lifetimeMs * (1 - LIFETIME_JITTER * fractionFor(row))];
	const state = u8(table.state, row);
	if (state === DATAGRAM || state === FRAMES) {
		const isQuic = u8(table.protocol, row) === PROTOCOL_QUIC;
		yield ["idle", table.activeMs(row, nowMs) + (isQuic ? policy.quicIdleMs : policy.idleMs)];
		return;
	}
	yield ["stall", Math.min(waitsSince(rows, row, nowMs), waitsSince(rows, link, nowMs)) + policy.stallMs];
	switch (state) {
		case SNIFF:
			yield ["handshake", acceptedMs + policy.handshakeMs];
			return;
		case SECURE:
		case DIAL:
			if (link === NONE) yield ["handshake", acceptedMs + policy.handshakeMs];
			else yield ["connect", table.dialledMs(row) + policy.connectMs];
			return;
		case RELAY: {
			const name = u8(table.firstEnd, row) === 0 ? "idle" : "half_closed";
			yield [name, table.activeMs(row, nowMs) + (name === "idle" ? policy.idleMs : policy.halfClosedMs)];
			return;
		}
		case REQUEST:
			yield requestDue(rows, row, policy, nowMs);
			return;
		case EXCHANGE:
			yield ["idle", table.activeMs(row, nowMs) + policy.idleMs];
			yield* answerDue(rows, row, policy);
	}
}

function requestDue(
	{ table, exchanges }: ReactorRows,
	row: Session,
	policy: Policy,
	nowMs: number,
): [string, number] {
	if (i32(exchanges.requests, row) === 0)
		return ["handshake", f64(table.acceptedMs, row) + policy.handshakeMs];
	const headMs = f64(exchanges.headMs, row);
	if (headMs > 0) return ["request_head", headMs + policy.requestHeadMs];
	return ["keep_alive", table.activeMs(row, nowMs) + policy.keepAliveMs];
}

function* answerDue({ exchanges }: ReactorRows, row: Session, policy: Policy): Generator<[string, number]> {
	const sentMs = f64(exchanges.sentMs, row);
	if (sentMs > 0 && !exchanges.isAnswered(row)) yield ["response_head", sentMs + policy.responseHeadMs];
}

function waitsSince({ table }: ReactorRows, slot: Slot, nowMs: number): number {
	const sinceMs = slot === NONE ? 0 : table.sinceMs(slot, nowMs);
	return sinceMs === 0 ? Number.POSITIVE_INFINITY : sinceMs;
}
