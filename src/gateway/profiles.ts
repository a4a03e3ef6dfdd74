/** Profiles of the gateway's threads, one at a time, kept until the next one is asked for. */
import { OperationError } from "../admin/operation-view.js";
import { Profiler } from "../kernel/profiler.js";
import type { Reactors } from "./reactors.js";

export type ProfileKind = "cpu" | "heap";

/** Longer ones are so large that DevTools does not open them. */
const SECONDS_MAX = 120;

interface Profile {
	readonly id: number;
	/** `undefined`: it is being made. */
	text: string | undefined;
}

export class Profiles {
	readonly #reactors: Reactors;
	readonly #main = new Profiler();
	#last: Profile | undefined;
	#count = 0;
	#timer: NodeJS.Timeout | undefined;

	constructor(reactors: Reactors) {
		this.#reactors = reactors;
	}

	/** Begins one, and says its number. @throws OperationError */
	begin(thread: string, kind: ProfileKind, seconds: number): number {
		if (this.#last !== undefined && this.#last.text === undefined)
			throw new OperationError("a profile is being made: ask again when it is there");
		const reactor = this.#reactorOf(thread);
		if (kind === "cpu" && !(seconds >= 1 && seconds <= SECONDS_MAX))
			throw new OperationError(`seconds: expected 1 to ${SECONDS_MAX}`);
		this.#count++;
		const profile: Profile = { id: this.#count, text: undefined };
		this.#last = profile;
		const made = (text: string): void => {
			profile.text = text;
		};
		if (kind === "heap") void this.#heap(reactor).then(made);
		else {
			this.#start(reactor);
			this.#timer = setTimeout(() => void this.#stop(reactor).then(made), seconds * 1_000);
		}
		return profile.id;
	}

	/** `undefined`: it is not there yet. @throws OperationError */
	take(id: number): string | undefined {
		if (this.#last?.id !== id) throw new OperationError(`there is no profile ${id}, or none any more`);
		return this.#last.text;
	}

	close(): void {
		clearTimeout(this.#timer);
	}

	/** -1: the main thread. */
	#reactorOf(thread: string): number {
		if (thread === "main") return -1;
		const [, number] = /^reactor:(\d+)$/.exec(thread) ?? [];
		if (number !== undefined && Number(number) < this.#reactors.count) return Number(number);
		throw new OperationError(
			`there is no thread ${thread}: there are main, and reactor:0 to reactor:${this.#reactors.count - 1}`,
		);
	}

	#start(reactor: number): void {
		if (reactor < 0) this.#main.startCpu();
		else this.#reactors.tellOne(reactor, { kind: "profile", what: "startCpu" });
	}

	async #stop(reactor: number): Promise<string> {
		return reactor < 0 ? this.#main.stopCpu() : this.#reactors.profiled(reactor, "stopCpu");
	}

	async #heap(reactor: number): Promise<string> {
		return reactor < 0 ? this.#main.heap() : this.#reactors.profiled(reactor, "heap");
	}
}
