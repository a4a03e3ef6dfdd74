/** What a router in between knows of the connections that pass it, and what it does with a segment of each. */
import type { Segment } from "./segment.js";

/** `reset`: it is dropped, and its sender told that there is no such connection. */
export type Fate = "pass" | "drop" | "reset";

/** What becomes of segments of a flow that was forgotten. */
export type Answer = "silence" | "reset";

interface Flow {
	seenMs: number;
	isDead: boolean;
	/** Which of both sides have ended their direction, by whether it is the agent's. */
	readonly ended: Set<boolean>;
}

export class Flows {
	/** Nothing passes, and nobody is told. */
	isSilent = false;
	#idleMs = Number.POSITIVE_INFINITY;
	#answer: Answer = "silence";
	/** By the agent's port, the oldest first. */
	readonly #flows = new Map<number, Flow>();

	/** Flows on which nothing has passed for so long are forgotten from now on; `null`: none is. */
	forget(idleMs: number | null, answer: Answer): void {
		this.#idleMs = idleMs ?? Number.POSITIVE_INFINITY;
		this.#answer = answer;
	}

	/** Connections that are open, as far as can be seen from here. */
	get open(): number {
		return [...this.#flows.values()].filter(isOpen).length;
	}

	/** From now on every other one is silent for ever, but for the oldest, which is left alone. Returns how many these are. */
	killHalf(): number {
		const victims = [...this.#flows.values()].filter(isOpen).filter((_, index) => index % 2 === 1);
		for (const flow of victims) flow.isDead = true;
		return victims.length;
	}

	fate(segment: Segment, isFromAgent: boolean, nowMs: number): Fate {
		if (this.isSilent) return "drop";
		const port = isFromAgent ? segment.sourcePort : segment.destinationPort;
		if (segment.opens) {
			this.#flows.delete(port);
			this.#flows.set(port, { seenMs: nowMs, isDead: false, ended: new Set() });
			return "pass";
		}
		const flow = this.#flows.get(port);
		if (flow?.isDead === true) return "drop";
		if (flow === undefined || nowMs - flow.seenMs >= this.#idleMs) {
			this.#flows.delete(port);
			return this.#answer === "silence" || segment.resets ? "drop" : "reset";
		}
		flow.seenMs = nowMs;
		if (segment.ends) flow.ended.add(isFromAgent);
		if (segment.resets) this.#flows.delete(port);
		return "pass";
	}
}

function isOpen({ isDead, ended }: Flow): boolean {
	return !isDead && ended.size < 2;
}
