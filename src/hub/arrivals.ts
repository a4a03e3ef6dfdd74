/** Who comes to the hub: what he asks for is granted or refused, and his reactor is told. */
import { encodeNotice } from "../channels/encode.js";
import type { HubNews, HubOrder } from "../channels/orders.js";
import { EVENT_STREAM, FRAMED, WEBSOCKET } from "../channels/protocols.js";
import { eventsHead, preflightAnswer, refusalAnswer, webSocketHead } from "./answers.js";
import type { Channel } from "./channel.js";
import { grantSubscription, verified } from "./grants.js";
import type { Members } from "./members.js";
import { closeCodeOf, refusalOf } from "./refusals.js";
import { type HubRequest, isOriginAllowed, RequestRefusal, readHubRequest } from "./request.js";
import type { HubRights } from "./rights.js";
import type { Place, SubscribersContext } from "./subscribers-context.js";

type Asks = Extract<HubNews, { kind: "asks" }>;

const NO_BYTES = new Uint8Array(0);

export class Arrivals {
	readonly #context: SubscribersContext;
	readonly #members: Members;
	/** Those that have asked, and are being looked at. */
	readonly #asking = new Set<number>();

	constructor(context: SubscribersContext, members: Members) {
		this.#context = context;
		this.#members = members;
	}

	/** It has ended. */
	forget(session: number): void {
		this.#asking.delete(session);
	}

	/** A promise: its token is being verified, and nothing else of it may be looked at before. */
	asks(reactor: number, asks: Asks): void | Promise<void> {
		const place = { reactor, row: asks.row, number: asks.number };
		this.#asking.add(asks.number);
		if (asks.head === null) {
			this.#comesFramed(place, asks);
			return;
		}
		let request: HubRequest | undefined;
		try {
			request = readHubRequest(asks.head, asks.isWebSocket, asks.path ?? "/");
			if (!isOriginAllowed(request, this.#context.hub.config.origins))
				throw new RequestRefusal(
					403,
					"bad_origin",
					"pages of this origin may not come here: hub.origins names those that may",
				);
			if (request.kind === "preflight") {
				this.#asking.delete(asks.number);
				this.#tell(reactor, { ...place, kind: "refuse", bytes: preflightAnswer(request), status: 204 });
				return;
			}
		} catch (error) {
			this.#refuse(place, error, request, asks.head.startsWith("HEAD "));
			return;
		}
		const asked = request;
		if (asked.token !== null) return this.#verify(place, asked, asked.token);
		this.#decide(place, asked, undefined);
	}

	async #verify(place: Place, request: HubRequest, token: string): Promise<void> {
		const rights = await verified(this.#context, token).catch((error: unknown) => {
			this.#refuse(place, error, request);
			return undefined;
		});
		if (rights !== undefined) this.#decide(place, request, rights);
	}

	/** What it asks for is granted, or not. */
	#decide(place: Place, request: HubRequest, rights: HubRights | undefined): void {
		// It has ended meanwhile.
		if (!this.#asking.has(place.number)) return;
		const protocol = request.kind === "websocket" ? WEBSOCKET : EVENT_STREAM;
		const opened: Channel[] = [];
		const { subscriptions: most } = this.#context.hub.config.limits;
		try {
			if (request.channels.length > most)
				throw new RequestRefusal(400, "limit_subscriptions", `a connection may have ${most} channels`);
			const subscriptions = request.channels.map((name) => {
				const { after, last } = request;
				const wish = { ...(after === null ? {} : { after }), last };
				const { channel, order } = grantSubscription(
					this.#context.hub,
					place.reactor,
					name,
					wish,
					rights,
					undefined,
					opened,
				);
				if (!opened.includes(channel)) opened.push(channel);
				return order;
			});
			this.#asking.delete(place.number);
			if (rights !== undefined) this.#members.join({ ...place, protocol }, rights, opened);
			const bytes = protocol === WEBSOCKET ? webSocketHead(request) : eventsHead(request);
			const status = protocol === WEBSOCKET ? 101 : 200;
			this.#tell(place.reactor, { ...place, kind: "accept", protocol, bytes, status, subscriptions });
		} catch (error) {
			for (const { subscribers } of opened)
				subscribers[place.reactor] = (subscribers[place.reactor] ?? 1) - 1;
			this.#refuse(place, error, request);
		}
	}

	/** On a listener of bytes: for the route's channel, or for none. */
	#comesFramed(place: Place, { channel: name }: Asks): void {
		const accept = { ...place, kind: "accept", protocol: FRAMED, bytes: NO_BYTES, status: 0 } as const;
		this.#asking.delete(place.number);
		if (name === null) {
			this.#tell(place.reactor, { ...accept, subscriptions: [] });
			return;
		}
		try {
			if (this.#context.hub.configOf(name).subscribe === "public") {
				const { order } = grantSubscription(this.#context.hub, place.reactor, name, {}, undefined, undefined);
				this.#tell(place.reactor, { ...accept, subscriptions: [order] });
				return;
			}
		} catch (error) {
			const refusal = refusalOf(error);
			const { code, message } = refusal;
			const notices = [
				{ type: "error", code, message },
				{ type: "end", code: closeCodeOf(refusal), reason: message },
			];
			const bytes = Buffer.concat(notices.map((each) => encodeNotice(each)[FRAMED] as Uint8Array));
			this.#tell(place.reactor, { ...place, kind: "refuse", bytes, status: 0 });
			return;
		}
		this.#members.await(this.#members.join({ ...place, protocol: FRAMED }, undefined, []), name);
		this.#tell(place.reactor, { ...accept, subscriptions: [] });
	}

	#refuse(place: Place, error: unknown, request: HubRequest | undefined, isBare = false): void {
		if (!this.#asking.delete(place.number)) return;
		const refusal = refusalOf(error);
		const bytes = refusalAnswer(refusal, request, isBare);
		this.#tell(place.reactor, { ...place, kind: "refuse", bytes, status: refusal.status });
	}

	#tell(reactor: number, order: HubOrder): void {
		this.#context.tell(reactor, [order]);
	}
}
