/** A request and its answer, as they have passed so far. */
import { HEAD_LIMIT_BYTES } from "../../protocol/http/head-end.js";
import { METHOD_OTHER } from "../../protocol/http/methods.js";
import type { ExchangeState } from "./api.js";
import { Kept, type Room } from "./kept.js";

/** Trailers carry checksums and timings. A section that is longer than a head may be is not followed. */
export const TRAILERS_MAX_BYTES = HEAD_LIMIT_BYTES;

/** Of answers before the answer (100, 103) so many are noted. */
const INTERIM_MAX = 8;

/** One half of it. */
export class HalfMessage {
	/** As it came, the empty line included. */
	readonly head: Kept;
	/** Without the framing of chunks. */
	readonly body: Kept;
	/** Behind the last chunk, the empty line included. */
	readonly trailers: Kept;
	/** Its head has come. */
	hasHead = false;
	/** All of it has come. */
	isOver = false;

	constructor(room: Room, bodyMax: number) {
		this.head = new Kept(room, HEAD_LIMIT_BYTES);
		this.body = new Kept(room, bodyMax);
		this.trailers = new Kept(room, TRAILERS_MAX_BYTES);
	}

	begin(head: Buffer): void {
		this.hasHead = true;
		this.head.append(head, 0, head.length);
	}

	forget(): void {
		this.head.forget();
		this.body.forget();
		this.trailers.forget();
	}
}

/** Of a connection that speaks something else now. */
export interface Upgrade {
	/** `websocket` */
	readonly protocol: string;
	bytesFromVisitor: number;
	bytesToVisitor: number;
}

export interface ExchangeOrigin {
	readonly id: number;
	readonly tunnel: string;
	/** The exchange whose request was sent again. */
	readonly replayOf: number | undefined;
}

export class Exchange {
	readonly id: number;
	readonly tunnel: string;
	readonly replayOf: number | undefined;
	readonly request: HalfMessage;
	readonly response: HalfMessage;
	/** Empty when the request could not be read. */
	method = "";
	/** `METHOD_…` */
	methodNumber = METHOD_OTHER;
	target = "";
	host = "";
	/** It asks for a change of protocol. */
	wantsUpgrade = false;
	/** 0: no answer yet. */
	status = 0;
	reason = "";
	/** Statuses of answers before the answer. */
	readonly interim: number[] = [];
	upgrade: Upgrade | undefined;
	state: ExchangeState = "running";
	/** Why it is aborted or lost, or who has answered in the service's place. */
	why: string | undefined;
	/** Epoch. */
	readonly beganMs: number;
	/** From there on. */
	firstByteMs: number | undefined;
	durationMs: number | undefined;
	/** Higher after each change. */
	revision = 0;
	readonly #beganAt: number;
	readonly #changed: (exchange: Exchange) => void;

	/** `beganAt`: by the clock of `performance`. */
	constructor(
		{ id, tunnel, replayOf }: ExchangeOrigin,
		beganAt: number,
		room: Room & { readonly bodyMax: number },
		changed: (exchange: Exchange) => void,
	) {
		this.id = id;
		this.tunnel = tunnel;
		this.replayOf = replayOf;
		this.#beganAt = beganAt;
		this.beganMs = performance.timeOrigin + beganAt;
		this.request = new HalfMessage(room, room.bodyMax);
		this.response = new HalfMessage(room, room.bodyMax);
		this.#changed = changed;
	}

	get isOver(): boolean {
		return this.durationMs !== undefined;
	}

	/** How long it has lasted by now. */
	get ageMs(): number {
		return performance.now() - this.#beganAt;
	}

	changed(): void {
		this.revision++;
		this.#changed(this);
	}

	noteInterim(status: number): void {
		if (this.interim.length < INTERIM_MAX) this.interim.push(status);
		this.changed();
	}

	/** Its end, for the first reason that there is. */
	end(state: "done" | "aborted" | "lost", why?: string): void {
		if (this.isOver) return;
		this.state = state;
		this.why ??= why;
		this.durationMs = this.ageMs;
		this.changed();
	}

	forget(): void {
		this.request.forget();
		this.response.forget();
	}
}
