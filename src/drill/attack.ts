/** An attack, as data: the drill writes it, the attackers' process (crowd.ts) carries it out. */
import type { Spread } from "../rig/percentile.js";

export interface Attack {
	/** Where to: IPv4. */
	readonly address: string;
	readonly port: number;
	/** They shake hands first, for this name, and say everything within TLS. */
	readonly tls?: string;
	/** Connections at once. */
	readonly connections: number;
	/** How many in all; `null`: whoever was closed comes again, until the attack is over. */
	readonly total: number | null;
	/** New connections per second; `null`: as fast as the machine allows. */
	readonly opensPerSecond: number | null;
	/** What the connections say, in turn, base64. Empty: nothing. */
	readonly sayings: readonly string[];
	/** Mutates each saying, from this seed on; `null`: said as they are. */
	readonly mutationSeed: number | null;
	readonly behaviour: Behaviour;
	/** When the target should have closed a connection, from when its clock starts (below); `null`: never. */
	readonly deadlineMs: number | null;
}

/** What a connection does once it is established, and what starts the clock of its deadline. */
export type Behaviour =
	/** Says it all at once, then nothing. Clock: established. */
	| { readonly kind: "hold" }
	/** Says `atOnceBytes`, then a byte at a time, each after a pause between the two. Clock: established. */
	| {
			readonly kind: "dribble";
			readonly atOnceBytes: number;
			readonly everyMsMin: number;
			readonly everyMsMax: number;
	  }
	/** Takes that many bytes of the answer and no more. Clock: the last byte taken. */
	| { readonly kind: "stop-reading"; readonly afterBytes: number; readonly receiveBufferBytes: number }
	/** Says a part of it, waits up to that long, and resets. */
	| { readonly kind: "reset"; readonly afterMsMax: number }
	/** Says it and takes the answer to its end. */
	| { readonly kind: "session"; readonly answerBytes: number }
	/** Plays scripts (script.ts) from this seed. Sayings: a hello that is terminated, and one that is passed on. */
	| { readonly kind: "scripts"; readonly seed: number };

/** How connections of an attack ended. */
export const ENDS = [
	/** The target ended its direction. */
	"closed by the target",
	"reset by the target",
	/** A session that got its whole answer. */
	"answered",
	/** A session that was ended before it had its answer. */
	"cut short",
	/** A script was played to its end, and each answer was the right one. */
	"as scripted",
	/** A script met another answer than its own, or an end before it had all answers. */
	"answered wrongly",
	/** A script waited for an answer longer than anybody would. */
	"not answered",
	"reset by the attacker",
	/** Still there when the attack was over; the attacker closed it. */
	"given up",
	"refused",
	"connect timed out",
	/** A forged half of a hello to which nothing was said, as it must be. */
	"unanswered",
	/** A SYN with a made-up source: whoever is answered there says nothing. */
	"never acknowledged",
	/** A subscriber that took a little, and was not told why. */
	"cut off",
	/** A subscriber that was slow was told that its outbox is full, and closed. */
	"told that its outbox is full",
	/** A subscriber that was slow lived, and has read all at the end. */
	"read on",
	/** A port or a descriptor was missing on the attacker's side. */
	"could not start",
] as const;

export type End = (typeof ENDS)[number];

export interface AttackStatus {
	readonly atMs: number;
	readonly opened: number;
	readonly established: number;
	/** Connecting or established. */
	readonly alive: number;
	/** Connections that have ended, however. */
	readonly ended: number;
}

export interface AttackReport {
	readonly opened: number;
	readonly established: number;
	readonly alivePeak: number;
	readonly ends: Readonly<Partial<Record<End, number>>>;
	/** Wall time from the first connect until the last connection had ended. */
	readonly tookMs: number;
	/** How much later than its deadline each was closed by the target; negative: earlier. `null`: no deadline, or nobody was. */
	readonly overdueMs: Spread | null;
	/** What scripts met that they must not, the first of it. */
	readonly faults: readonly string[];
}
