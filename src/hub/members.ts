/** Subscribers who have shown a token, or still have to: what it allows, and until when. Of all others nothing is kept. */
import { CLOSE_BAD_TOKEN, CLOSE_NOT_ALLOWED } from "../channels/close-codes.js";
import type { Channel } from "./channel.js";
import type { HubRights } from "./rights.js";
import type { Place, SubscribersContext } from "./subscribers-context.js";

export interface Member extends Place {
	readonly protocol: number;
	rights: HubRights | undefined;
	/** Numbers of its channels. */
	readonly channels: Set<number>;
	/** It was here before it showed one, perhaps with public channels that are not known here. */
	readonly cameBefore: boolean;
	/** When its token ends, or has to have come. */
	timer: NodeJS.Timeout | undefined;
	/** It has to show one before anything else: for this channel. */
	awaits: string | undefined;
}

/** Why a token is good no more that has not expired. */
export const KEY_GONE = "the key that signed the token is no longer taken: come with a new token";

/** Timers wait no longer. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export class Members {
	readonly #context: SubscribersContext;
	/** By the numbers of their sessions. */
	readonly #members = new Map<number, Member>();

	constructor(context: SubscribersContext) {
		this.#context = context;
	}

	get count(): number {
		return this.#members.size;
	}

	get(session: number): Member | undefined {
		return this.#members.get(session);
	}

	join(
		place: Place & { readonly protocol: number },
		rights: HubRights | undefined,
		channels: readonly Channel[],
		cameBefore = false,
	): Member {
		const member: Member = {
			...{ reactor: place.reactor, row: place.row, number: place.number, protocol: place.protocol },
			...{ rights, channels: new Set<number>(), cameBefore, timer: undefined, awaits: undefined },
		};
		this.#members.set(place.number, member);
		for (const channel of channels) this.joins(member, channel);
		if (rights !== undefined) this.#setExpiry(member, rights);
		return member;
	}

	/** It is subscribed to one more. */
	joins(member: Member, channel: Channel): void {
		if (member.channels.has(channel.number)) return;
		member.channels.add(channel.number);
		const who = member.rights?.who;
		if (who != null && channel.config.presence === "who") channel.countWho(who, 1);
	}

	#setExpiry(member: Member, rights: HubRights): void {
		clearTimeout(member.timer);
		const leftMs = rights.expiresMs - this.#context.unixNow();
		if (leftMs <= 0) {
			this.end(member, CLOSE_BAD_TOKEN, "the token has expired");
			return;
		}
		member.timer = setTimeout(() => this.#setExpiry(member, rights), Math.min(leftMs, TIMER_MAX_MS)).unref();
	}

	/** It has so long to show a token for this channel. */
	await(member: Member, channel: string): void {
		member.awaits = channel;
		member.timer = setTimeout(
			() => this.end(member, CLOSE_BAD_TOKEN, "no token came in time"),
			this.#context.handshakeMs(),
		).unref();
	}

	/** What is counted of whoever it was goes over to whoever it is. */
	exchange(member: Member, rights: HubRights): void {
		const before = member.rights?.who;
		member.rights = rights;
		for (const number of member.channels) {
			const channel = this.#context.hub.channelsThere.numbered(number);
			if (channel?.config.presence !== "who") continue;
			if (before != null) channel.countWho(before, -1);
			if (rights.who != null) channel.countWho(rights.who, 1);
		}
		this.#setExpiry(member, rights);
	}

	/** Whoever came with a token of a key that is no longer known ends. Returns how many. */
	revoke(): number {
		const verifier = this.#context.verifier();
		let ended = 0;
		for (const member of this.#members.values()) {
			if (member.rights === undefined || verifier?.knows(member.rights.key) === true) continue;
			this.end(member, CLOSE_BAD_TOKEN, KEY_GONE);
			ended++;
		}
		return ended;
	}

	/** Subscriptions that the token allows no more are taken away. False: none is left, and it ends. */
	stillAllows(member: Member): boolean {
		const channels = [...member.channels].flatMap(
			(number) => this.#context.hub.channelsThere.numbered(number) ?? [],
		);
		const lost = channels.filter(
			({ name, config }) => config.subscribe === "token" && member.rights?.maySubscribe(name) !== true,
		);
		if (lost.length > 0 && lost.length === channels.length && !member.cameBefore) {
			this.end(member, CLOSE_NOT_ALLOWED, "the token does not allow any of its channels any more");
			return false;
		}
		for (const { number: channel, name } of lost)
			this.#context.tell(member.reactor, [
				{
					...{ row: member.row, number: member.number, kind: "unsubscribe", channel, name, isAnswer: false },
					taken: { code: CLOSE_NOT_ALLOWED, reason: "the token does not allow it any more" },
				},
			]);
		return true;
	}

	/** It is subscribed to this channel no more. */
	leaves(session: number, channel: Channel): void {
		const member = this.#members.get(session);
		if (member === undefined || !member.channels.delete(channel.number)) return;
		const who = member.rights?.who;
		if (who != null && channel.config.presence === "who") channel.countWho(who, -1);
	}

	/** Its session has ended, perhaps before its reactor came to subscribe it to what it was granted. */
	forget(session: number): void {
		const member = this.#members.get(session);
		if (member === undefined) return;
		for (const number of [...member.channels]) {
			const channel = this.#context.hub.channelsThere.numbered(number);
			if (channel !== undefined) this.leaves(session, channel);
		}
		clearTimeout(member.timer);
		this.#members.delete(session);
	}

	end({ reactor, row, number }: Place, code: number, reason: string): void {
		this.#context.tell(reactor, [{ row, number, kind: "end", code, reason }]);
	}

	close(): void {
		for (const { timer } of this.#members.values()) clearTimeout(timer);
		this.#members.clear();
	}
}
