/**
 * Connections of the admin port: who may stay, and for how long. Whoever has not said what it wants makes room for
 * whoever comes, and long answers have a share of their own, so that a crowd of either keeps nobody from asking whether
 * the gateway is well.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Connections without a request under way, new ones and idle ones: with the answers below, within `limits.fd_reserve`. */
const WAITING_MAX = 40;
/** Monitoring and people have a few. More than that is a crowd. */
const CROWD = 8;
/** A request is a line. Whoever needs longer for it, or for the next one, is closed; amid a crowd, sooner. */
const WAIT_MS = 5_000;
const WAIT_IN_CROWD_MS = 1_000;
/** Long answers under way. */
const LONG_ANSWERS_MAX = 8;
/** Until an answer has been taken, as long as Prometheus waits for one. */
const ANSWER_MS = 10_000;
/** How often it is looked who has waited too long. */
const LOOK_MS = 250;

export class Visitors {
	/** Since when, the longest first. */
	readonly #waiting = new Map<Socket, number>();
	/** Answers under way. `isLast`: its connection is closed behind it. */
	readonly #answered = new Map<Socket, { readonly response: ServerResponse; isLast: boolean }>();
	#longAnswers = 0;
	#timer: NodeJS.Timeout | undefined;
	readonly #now: () => number;

	/** `now`: milliseconds on a clock that nobody sets. */
	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	came(socket: Socket): void {
		socket.once("close", () => this.#waiting.delete(socket));
		this.#waits(socket);
		if (this.#waiting.size <= WAITING_MAX) return;
		const [longest] = this.#waiting.keys();
		longest?.destroy();
	}

	/**
	 * Its request is there, and will be answered. False: it asked again before it had taken its answer. That one is its last
	 * (RFC 9112, 9.3.2: it has to ask again then), and nothing more is read from it, or answers would pile up here.
	 */
	asked(socket: Socket, response: ServerResponse): boolean {
		const before = this.#answered.get(socket);
		if (before !== undefined) {
			if (before.isLast) return false;
			before.isLast = true;
			socket.pause();
			before.response.once("close", () => socket.destroy());
			return false;
		}
		this.#waiting.delete(socket);
		this.#answered.set(socket, { response, isLast: false });
		const late = setTimeout(() => socket.destroy(), ANSWER_MS);
		late.unref();
		// Taken by the kernel, or cut.
		response.once("close", () => {
			clearTimeout(late);
			this.#answered.delete(socket);
			if (!socket.destroyed) this.#waits(socket);
		});
		return true;
	}

	/** Whether one more long answer may be made. It counts until it has been taken. */
	mayAnswerLong(response: ServerResponse): boolean {
		if (this.#longAnswers >= LONG_ANSWERS_MAX) return false;
		this.#longAnswers++;
		response.once("close", () => {
			this.#longAnswers--;
		});
		return true;
	}

	close(): void {
		clearInterval(this.#timer);
		this.#timer = undefined;
	}

	#waits(socket: Socket): void {
		this.#waiting.delete(socket);
		this.#waiting.set(socket, this.#now());
		this.#timer ??= setInterval(this.#look, LOOK_MS).unref();
	}

	readonly #look = (): void => {
		const limitMs = this.#waiting.size > CROWD ? WAIT_IN_CROWD_MS : WAIT_MS;
		const nowMs = this.#now();
		for (const [socket, sinceMs] of this.#waiting) {
			if (nowMs - sinceMs < limitMs) break;
			socket.destroy();
			this.#waiting.delete(socket);
		}
		if (this.#waiting.size === 0) this.close();
	};
}
