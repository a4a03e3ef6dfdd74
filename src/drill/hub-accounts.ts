/** What subscribers of a channel were sent and were told, as they account for it. */
import type { Disorder, Followed } from "../rig/subscribers/followed.js";
import type { Meeting } from "../rig/subscribers/meeting.js";
import { CODE_OUTBOX_FULL } from "./hub-traffic.js";

/** All subscribers of one kind of a channel, added up. */
export interface HubAccount {
	readonly channel: string;
	readonly subscribers: number;
	/** Messages that they got. */
	readonly received: number;
	/** Messages that they were told that they miss, the notices that said so, and how many subscribers had one. */
	readonly missed: number;
	readonly notices: number;
	readonly toldOfGaps: number;
	/** Messages that were not their next one: a gap that they were not told of, or one that came twice. */
	readonly disorders: number;
	/** Subscribers who were sent away because their outbox was full. */
	readonly outboxFull: number;
}

/** What they meet besides messages. Nothing of it is an error: it is judged. */
export class HubMeeting implements Meeting {
	/** Set once they are followed. */
	followed: Followed | null = null;
	notices = 0;
	disorders = 0;
	/** The first of them. */
	fault: string | null = null;
	readonly codes = new Map<number, number>();
	/** Somebody's connection has ended. */
	onEnd: (place: number, error: string | null) => void = () => {};

	readonly disorder: Disorder = (place, number, had) => {
		this.disorders++;
		this.fault ??= `subscriber ${place} got message ${number} behind ${had}`;
	};

	said(place: number, text: string): void {
		const notice = JSON.parse(text) as { type: string; missed?: number };
		if (notice.type !== "gap") return;
		this.notices++;
		this.followed?.misses(place, notice.missed ?? 0);
	}

	sentAway(place: number, code: number): void {
		this.codes.set(place, code);
	}

	ended(place: number, error: string | null): void {
		this.onEnd(place, error);
	}
}

export function accountOf(
	channel: string,
	{ subscribers, got, missed }: Followed,
	meeting: HubMeeting,
): HubAccount {
	return {
		...{ channel, subscribers: subscribers.count, received: sum(got), missed: sum(missed) },
		...{ notices: meeting.notices, disorders: meeting.disorders },
		toldOfGaps: missed.filter((count) => count > 0).length,
		outboxFull: [...meeting.codes.values()].filter((code) => code === CODE_OUTBOX_FULL).length,
	};
}

function sum(values: Int32Array): number {
	return values.reduce((total, value) => total + value, 0);
}
