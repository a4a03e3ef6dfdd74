/** How the simulated kernel misbehaves: probabilities, each of something that a real one may do. */
import type { Random } from "../../src/rig/random.js";

export interface Faults {
	/** A call that may be interrupted is. */
	readonly interrupt: number;
	/** A read finds nothing although bytes are about to show. */
	readonly emptyRead: number;
	/** A send takes less than there is room for. */
	readonly shortSend: number;
	/** A send takes nothing although there is room. */
	readonly fullSend: number;
	/** accept, socket or pipe finds no descriptor or memory. */
	readonly exhausted: number;
	/** No memory is left to watch one more descriptor. */
	readonly unwatchable: number;
	/** A connection is gone before it is accepted. */
	readonly aborted: number;
	/** News of a descriptor waits for a later turn. */
	readonly late: number;
	/** News is reported without cause. */
	readonly spurious: number;
	/** A wait's batch is full before all news is in it. */
	readonly fewEvents: number;
	/** The other end does something while the reactor is inside a call. */
	readonly meanwhile: number;
	/** The clock leaps ahead, as after a suspended machine. */
	readonly leap: number;
}

/** Nothing goes wrong. */
export const CALM: Faults = {
	interrupt: 0,
	emptyRead: 0,
	shortSend: 0,
	fullSend: 0,
	exhausted: 0,
	unwatchable: 0,
	aborted: 0,
	late: 0,
	spurious: 0,
	fewEvents: 0,
	meanwhile: 0,
	leap: 0,
};

/**
 * Faults of the simulation itself: each breaks a promise of the kernel, or plays a reactor that is at fault,
 * and the checker must notice. They are how the checker is tested.
 */
export const MUTANTS = [
	/** Some edges are never delivered. */
	"lost_out_edge",
	"lost_in_edge",
	/** close() does nothing. */
	"leaked_close",
	/** A byte is lost, doubled or changed on its way through a send. */
	"lost_byte",
	"doubled_byte",
	"changed_byte",
	/** All events are taken for stale. */
	"old_generation",
	/** No event is: the reactor acts on news for whoever had the row before. */
	"blind_generation",
	/** A session loses its deadline. */
	"lost_deadline",
	/** Nagle's algorithm stays on. */
	"lost_nodelay",
	/** Bytes are held for more that does not follow. */
	"left_corked",
	/** An end is not carried on. */
	"lost_shutdown",
	/** A stream that was cut is ended as if it were whole. */
	"reset_as_end",
	/** A session ends without a record. */
	"lost_record",
	/** A pipe goes back to the pool with bytes in it. */
	"dirty_pipe",
	/** An address's place is kept when its connection ends. */
	"kept_place",
	/** A session that ended still counts as alive, over all or for its listener. */
	"kept_session",
	"kept_listener_session",
	/** A token that nobody used is given back twice. */
	"doubled_token",
	/** A session in the middle of something is closed to make room. */
	"shed_busy",
	/** It is not written down who has a descriptor. */
	"lost_owner",
	/** Bytes that wait on a pooled connection are not seen: when it is looked at, or when it was lent in this turn. */
	"blind_pool",
	"blind_lending",
	/** A wait does not say that its batch was full. */
	"blind_batch",
	/** A connection that waits for another turn is forgotten. */
	"lost_turn",
	/** One byte more, or fewer, is taken than a head has. */
	"greedy_discard",
	"frugal_discard",
	/** A byte is lost of what was put back. */
	"lost_put_back",
	/** A head that was put back stays when it has been answered. */
	"kept_head",
	/** An error behind what was put back is not told. */
	"swallowed_error",
	/** A borrowed connection is closed, and not returned. */
	"lost_return",
	/** One is given back whose request was not sent whole. */
	"cut_request",
	/** A request that must not be repeated is. */
	"repeated_post",
	/** Two exchanges change their upstream connections. */
	"crossed_exchanges",
	/** An idle connection falls out of its list. */
	"lost_idle",
	/** A client between requests has no deadline. */
	"lost_request_deadline",
	/** That a client has said something, and nothing that tells what it speaks, is forgotten. */
	"lost_undecided",
] as const;

/** The same for a completion kernel and its engine, in runs with them. */
export const COMPLETION_MUTANTS = [
	/** A buffer is used again before its send is completed. */
	"reused_buffer",
	/** What a cancelled send has not sent is forgotten, and the end looks as one. */
	"lost_at_cancellation",
	/** A completion is taken for whoever has the row now. */
	"blind_completion",
	/** More is received of a connection that nobody reads. */
	"greedy_receive",
	/** An end is told while bytes before it are still to be received. */
	"early_end",
	/** Ours overtakes bytes that are still to be sent. */
	"overtaking_end",
	/** A buffer stays with a connection that is closed. */
	"kept_buffer",
	/** Bytes were received, and nobody is told. */
	"untold_completion",
] as const;

/** The same for lines of agents, in runs with them. */
export const LINE_MUTANTS = [
	/** A ticket is good for a second line. */
	"doubled_ticket",
	/** That a line was taken is not counted. */
	"lost_news",
	/** One that a canary tries is lent. */
	"lent_canary",
	/** One that is parked counts among those that prove themselves. */
	"kept_unproved",
	/** One that was given away is taken by two reactors. */
	"doubled_line",
	/** A visitor that waits falls out of the list of those that do. */
	"lost_wait",
	/** A parked line is another tunnel's. */
	"crossed_tunnels",
	/** That one is to be replaced is forgotten. */
	"lost_leaving",
	/** That a request asks for a WebSocket, which leaves the last lines, is forgotten. */
	"lost_websocket",
] as const;

/** The same for an agent's own lines, in runs of one. */
export const OWN_LINE_MUTANTS = [
	/** Lines stay when their listener goes. */
	"kept_own_lines",
	/** Of what a gateway has said before its visitor's bytes, some stays in front of them. */
	"kept_header",
	/** That a visitor has a line is not told. */
	"untold_visit",
	/** News is told twice. */
	"doubled_own_news",
	/** A session has the row of its line as well. */
	"kept_link_row",
	/** Whoever is cut, or not let in, is told of an end. */
	"ended_visitor",
	/** A line's visitors are another listener's. */
	"crossed_listeners",
	/** A line that is opened has all the time in the world. */
	"lost_own_deadline",
	/** A gateway is believed whatever it shows. */
	"blind_trust",
] as const;

/** The same for datagrams, in runs with listeners on UDP: what the kernel tells of them. */
export const DATAGRAM_KERNEL_MUTANTS = [
	/** A byte of a datagram is changed, or it is sent twice. */
	"changed_datagram",
	"doubled_datagram",
	/** That not all of one was received is not told. */
	"blind_cut",
	/** Nor that a message is several of them. */
	"blind_segments",
	/** One is said to come from whoever sent the one before. */
	"crossed_senders",
	/** It is said to have been sent to another of our addresses. */
	"crossed_locals",
	/** Its congestion bits are lost. */
	"lost_congestion",
] as const;

/** And what a reactor makes of them. */
export const DATAGRAM_MUTANTS = [
	...DATAGRAM_KERNEL_MUTANTS,
	/** One is received and forgotten. */
	"lost_datagram",
	/** A session has no deadline; or one that silence does not bring nearer; or one that comes too early. */
	"lost_flow_deadline",
	"renewed_flow",
	"hasty_flow",
	/** Two clients change places. */
	"crossed_flows",
	/** A connection ID is forgotten while its session lives, or stays when all are over. */
	"lost_id",
	"kept_id",
	/** A part of a hello is waited with for ever. */
	"kept_half",
	/** One more is counted as dropped; or as one that found no room. */
	"doubled_drop",
	"doubled_overrun",
] as const;

/** `calm`: how likely it is that nothing goes wrong. */
export function randomFaults(random: Random, calm: number): Faults {
	if (random.chance(calm)) return CALM;
	const rate = (most: number) => (random.chance(0.4) ? 0 : random.fraction() * most);
	return {
		interrupt: rate(0.1),
		emptyRead: rate(0.2),
		shortSend: rate(0.5),
		fullSend: rate(0.2),
		exhausted: rate(0.05),
		unwatchable: rate(0.02),
		aborted: rate(0.1),
		late: rate(0.6),
		spurious: rate(0.5),
		fewEvents: rate(0.5),
		meanwhile: rate(0.2),
		leap: rate(0.001),
	};
}

export type Mutant =
	| (typeof MUTANTS)[number]
	| (typeof COMPLETION_MUTANTS)[number]
	| (typeof LINE_MUTANTS)[number]
	| (typeof OWN_LINE_MUTANTS)[number]
	| (typeof DATAGRAM_MUTANTS)[number]
	| "none";
