/** The ends of resources. */
import type { Member } from "./member.js";
import { DESTROY_REASONS, type DestroyReason, type PoolOptions } from "./options.js";

/** Ends resources, counts them by reason, and says when their places are free. */
export class Destructions<T> {
	readonly #options: PoolOptions<T>;
	readonly #withinMs: number;
	readonly #failed: (error: unknown) => void;
	readonly #done: () => void;
	readonly #counts: Record<DestroyReason, number>;
	#underWay = 0;

	/** `done`: called when a destruction that took time is over, or has taken too long. */
	constructor(options: PoolOptions<T>, withinMs: number, failed: (error: unknown) => void, done: () => void) {
		this.#options = options;
		this.#withinMs = withinMs;
		this.#failed = failed;
		this.#done = done;
		const none = DESTROY_REASONS.map((reason) => [reason, 0] as const);
		this.#counts = Object.fromEntries(none) as Record<DestroyReason, number>;
	}

	/** Those that keep a place. */
	get underWay(): number {
		return this.#underWay;
	}

	/** All that were begun. */
	get counts(): Record<DestroyReason, number> {
		return { ...this.#counts };
	}

	destroy(member: Member<T>, reason: DestroyReason): void {
		member.place = "destroyed";
		member.leave();
		this.#counts[reason]++;
		this.#underWay++;
		let result: unknown;
		try {
			result = this.#options.destroy(member.resource, reason);
		} catch (error) {
			this.#failed(error);
		}
		if (!isThenable(result)) {
			this.#underWay--;
			return;
		}
		const ended = (): void => {
			if (timer === undefined) return;
			clearTimeout(timer);
			timer = undefined;
			this.#underWay--;
			this.#done();
		};
		let timer: NodeJS.Timeout | undefined = setTimeout(ended, this.#withinMs).unref();
		Promise.resolve(result).then(ended, (error: unknown) => {
			this.#failed(error);
			ended();
		});
	}
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
