/** What subscribers say is answered, one message after the other (`docs/hub-wire.md`). */
import { CLOSE_BAD_TOKEN } from "../channels/close-codes.js";
import { encodeNotice, type HubNotice } from "../channels/encode.js";
import type { HubNews, HubOrder } from "../channels/orders.js";
import { WEBSOCKET } from "../channels/protocols.js";
import { CLOSE_POLICY } from "../protocol/websocket/close-codes.js";
import { grantSubscription, mustAllow, verified } from "./grants.js";
import type { Member, Members } from "./members.js";
import { closeCodeOf, refIn, refusalOf, withRef } from "./refusals.js";
import { RequestRefusal } from "./request.js";
import type { HubRights } from "./rights.js";
import { NoMessage, type Ref, readSaid, type Said, SaidFault } from "./said.js";
import type { Place, SubscribersContext } from "./subscribers-context.js";

type Says = Extract<HubNews, { kind: "says" }>;

/** Of a channel that does not exist nobody has a subscription. */
const NO_CHANNEL = -1;

export class Conversations {
	readonly #context: SubscribersContext;
	readonly #members: Members;
	/** What sessions speak that speak no WebSocket. */
	readonly #protocols = new Map<number, number>();
	/** Whose tokens are being verified. */
	readonly #renewing = new Set<number>();

	constructor(context: SubscribersContext, members: Members) {
		this.#context = context;
		this.#members = members;
	}

	/** A session speaks this, and no WebSocket. */
	speaks(session: number, protocol: number): void {
		this.#protocols.set(session, protocol);
	}

	/** It has ended. */
	forget(session: number): void {
		this.#protocols.delete(session);
		this.#renewing.delete(session);
	}

	async says(reactor: number, says: Says): Promise<void> {
		const place = { reactor, row: says.row, number: says.number };
		const member = this.#members.get(says.number);
		const protocol = member?.protocol ?? this.#protocols.get(says.number) ?? WEBSOCKET;
		try {
			const said = readSaid(says.bytes, says.isText);
			await this.#answer(place, member, protocol, said);
		} catch (error) {
			if (error instanceof NoMessage) {
				this.#tell(reactor, { ...place, kind: "end", code: CLOSE_POLICY, reason: error.message });
				return;
			}
			const ref = error instanceof SaidFault ? error.ref : (error as { ref?: Ref }).ref;
			const { code, message } = error instanceof SaidFault ? error : refusalOf(error);
			this.#say(place, protocol, { type: "error", ...refIn(ref), code, message });
		}
	}

	async #answer(place: Place, member: Member | undefined, protocol: number, said: Said): Promise<void> {
		const rights = member?.rights;
		if (member?.awaits !== undefined && said.type !== "hello") {
			this.#members.end(member, CLOSE_BAD_TOKEN, "the first message has to be a hello with a token");
			return;
		}
		switch (said.type) {
			case "subscribe": {
				const { channel, order } = withRef(said.ref, () =>
					grantSubscription(this.#context.hub, place.reactor, said.channel, said, rights, said.ref),
				);
				if (member !== undefined) this.#members.joins(member, channel);
				this.#tell(place.reactor, { ...place, kind: "subscribe", subscription: order, isAnswer: true });
				return;
			}
			case "unsubscribe": {
				const channel = this.#context.hub.channelsThere.get(said.channel);
				const number = channel?.number ?? NO_CHANNEL;
				this.#tell(place.reactor, {
					...{ ...place, kind: "unsubscribe", channel: number, name: said.channel, isAnswer: true },
					...refIn(said.ref),
				});
				return;
			}
			case "publish": {
				const { id } = withRef(said.ref, () => {
					mustAllow(this.#context.hub.configOf(said.channel), "publish", rights, said.channel);
					return this.#context.hub.publish(said.channel, said);
				});
				if (said.ref === undefined) this.#tell(place.reactor, { ...place, kind: "answered" });
				else this.#say(place, protocol, { type: "ack", ref: said.ref, id });
				return;
			}
			case "presence": {
				const presence = withRef(said.ref, () => this.#presence(said.channel, rights));
				this.#say(place, protocol, {
					...{ type: "presence", channel: said.channel, ...presence },
					...refIn(said.ref),
				});
				return;
			}
			case "token":
				await this.#renew(place, member, protocol, said.token, said.ref);
				return;
			case "hello":
				await this.#hello(place, member, protocol, said);
		}
	}

	/** @throws RequestRefusal, HubRefusal */
	#presence(name: string, rights: HubRights | undefined): { count: number; who?: readonly string[] } {
		const config = this.#context.hub.configOf(name);
		mustAllow(config, "subscribe", rights, name);
		if (config.presence === "off")
			throw new RequestRefusal(403, "forbidden", "the channel does not tell who is there");
		return this.#context.hub.presence(name);
	}

	/** A token in place of the one before, or the first one. */
	async #renew(
		place: Place,
		before: Member | undefined,
		protocol: number,
		token: string,
		ref: Ref,
	): Promise<Member | undefined> {
		let rights: HubRights;
		this.#renewing.add(place.number);
		try {
			rights = await verified(this.#context, token);
		} catch (error) {
			this.#renewing.delete(place.number);
			this.#tell(place.reactor, {
				...place,
				kind: "end",
				code: CLOSE_BAD_TOKEN,
				reason: refusalOf(error).message,
			});
			return undefined;
		}
		// It has ended meanwhile: nobody would forget it.
		if (!this.#renewing.delete(place.number)) return undefined;
		const member = before ?? this.#members.join({ ...place, protocol }, rights, [], true);
		this.#members.exchange(member, rights);
		if (!this.#members.stillAllows(member)) return undefined;
		const leftMs = Math.max(0, Math.round(rights.expiresMs - this.#context.unixNow()));
		this.#say(place, protocol, { type: "token", expires_in_ms: leftMs, ...refIn(ref) });
		return member;
	}

	/** The first message on a connection without a request. */
	async #hello(
		place: Place,
		member: Member | undefined,
		protocol: number,
		{ token, ref }: Extract<Said, { type: "hello" }>,
	): Promise<void> {
		const name = member?.awaits;
		if (token === undefined) {
			if (member !== undefined && name !== undefined)
				this.#members.end(member, CLOSE_BAD_TOKEN, "this channel takes a token: say it in the hello");
			else this.#tell(place.reactor, { ...place, kind: "answered" });
			return;
		}
		const joined = await this.#renew(place, member, protocol, token, ref);
		if (joined === undefined || name === undefined) return;
		joined.awaits = undefined;
		try {
			const { channel, order } = grantSubscription(
				this.#context.hub,
				place.reactor,
				name,
				{},
				joined.rights,
				undefined,
			);
			this.#members.joins(joined, channel);
			this.#tell(place.reactor, { ...place, kind: "subscribe", subscription: order, isAnswer: false });
		} catch (error) {
			const refusal = refusalOf(error);
			this.#members.end(joined, closeCodeOf(refusal), refusal.message);
		}
	}

	#say(place: Place, protocol: number, what: HubNotice): void {
		const bytes = encodeNotice(what)[protocol] as Uint8Array;
		this.#tell(place.reactor, { row: place.row, number: place.number, kind: "say", bytes, isAnswer: true });
	}

	#tell(reactor: number, order: HubOrder): void {
		this.#context.tell(reactor, [order]);
	}
}
