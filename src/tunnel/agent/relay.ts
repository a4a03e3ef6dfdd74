/**
 * A visitor's bytes between a line and the local service. What one side does not take, the other is not read for; the end of a
 * direction is carried on, and a reset as a reset.
 */
import type { Socket } from "node:net";
import type { Reason } from "../../parts/reasons.js";
import type { VisitorEnd } from "./line-book.js";
import type { Onlooker } from "./onlooker.js";
import { afterEnd, reset, type Wire } from "./wire.js";

/** One direction has ended, and nothing moves in the other: the same as the gateway's `half_closed`. */
const HALF_CLOSED_MS = 30_000;

/** One side takes nothing although bytes wait for it: the same as the gateway's `stall`. */
const STALL_MS = 30_000;

/** What changes bytes on their way to the local service. Throws when they are not what they should be. */
export type Change = (bytes: Buffer) => Buffer;

/** What is done with bytes besides sending them on. */
export interface Besides {
	/** On the way to the local service. */
	readonly change?: Change;
	readonly onlooker?: Onlooker | undefined;
}

interface Direction {
	/** Why it is over when its source has ended it, and when that is broken. */
	readonly closed: Reason;
	readonly broken: Reason;
	readonly pass: Change;
	/** What has been sent on, as it came. */
	readonly passed: (bytes: Buffer) => void;
}

export class Relay {
	readonly #line: Wire;
	readonly #local: Wire;
	readonly #ended: (end: VisitorEnd) => void;
	readonly #onlooker: Onlooker | undefined;
	#fromVisitor = 0;
	#toVisitor = 0;
	/** Who ended its direction first. */
	#first: Reason | undefined;
	#closed = 0;
	#isOver = false;
	#isFinished = false;
	/** What had moved when it was looked at last, and when that was. */
	#moved = -1;
	#movedAt = 0;

	/** `first`: bytes of the visitor's that were read already, or what stands before them. `ended` is called once both are closed. */
	constructor(
		line: Wire,
		local: Wire,
		first: Uint8Array,
		ended: (end: VisitorEnd) => void,
		{ change, onlooker }: Besides = {},
	) {
		this.#line = line;
		this.#local = local;
		this.#ended = ended;
		this.#onlooker = onlooker;
		if (first.length > 0) local.stream.write(first);
		this.#join(line, local, {
			...{ closed: "client_closed", broken: "client_reset" },
			pass: (bytes) => {
				this.#fromVisitor += bytes.length;
				return change?.(bytes) ?? bytes;
			},
			passed: (bytes) => onlooker?.fromVisitor(bytes),
		});
		this.#join(local, line, {
			...{ closed: "upstream_closed", broken: "upstream_reset" },
			pass: (bytes) => {
				this.#toVisitor += bytes.length;
				return bytes;
			},
			passed: (bytes) => onlooker?.toVisitor(bytes),
		});
	}

	#join(from: Wire, to: Wire, direction: Direction): void {
		const { broken, pass, passed } = direction;
		const source = from.stream;
		const target = to.stream;
		source.on("data", (bytes: Buffer) => {
			try {
				if (!target.write(pass(bytes)) && !target.destroyed) source.pause();
			} catch {
				this.cut("bad_request");
			}
			passed(bytes);
		});
		target.on("drain", () => source.resume());
		source.on("end", () => this.#carryEnd(from, target, direction));
		source.on("error", () => this.cut(broken));
		source.on("close", () => {
			this.#closed++;
			// Its other direction cannot be carried any further.
			if (!source.readableEnded || !source.writableFinished) this.cut(broken);
			if (this.#closed === 2) this.#finish();
		});
		source.resume();
		if (!source.destroyed) return;
		// It broke before anybody listened here, and may have told that already.
		if (source.closed) this.#closed++;
		process.nextTick(() => {
			this.cut(broken);
			if (this.#closed === 2) this.#finish();
		});
	}

	#carryEnd(from: Wire, target: Socket, { closed, broken }: Direction): void {
		afterEnd(from, (error) => {
			if (error) {
				this.cut(broken);
				return;
			}
			this.#first ??= closed;
			if (closed === "upstream_closed") this.#onlooker?.serviceEnded();
			target.end();
		});
	}

	/** Ends both sides by a reset. */
	cut(reason: Reason): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#first = reason;
		reset(this.#line);
		reset(this.#local);
	}

	/** To be asked now and then: cuts it when it has one direction left or bytes that wait, and nothing has moved for too long. */
	look(now: number): void {
		const out = this.#line.stream;
		const into = this.#local.stream;
		const waiting = out.writableLength + into.writableLength;
		const moved = this.#fromVisitor + this.#toVisitor + out.bytesWritten + into.bytesWritten - waiting;
		if (moved !== this.#moved) {
			this.#moved = moved;
			this.#movedAt = now;
		} else if (waiting > 0 && now - this.#movedAt >= STALL_MS) this.cut("stall_timeout");
		else if (this.#first !== undefined && now - this.#movedAt >= HALF_CLOSED_MS)
			this.cut("half_closed_timeout");
	}

	#finish(): void {
		if (this.#isFinished) return;
		this.#isFinished = true;
		this.#isOver = true;
		this.#ended({
			reason: this.#first ?? "internal",
			bytesFromVisitor: this.#fromVisitor,
			bytesToVisitor: this.#toVisitor,
		});
	}
}
