/** One check of something that serves: that it accepts, or that it also answers a request, within its time. The gateway checks its upstreams so, an agent its local service. */
import type { Socket } from "node:net";
import { HttpCheck, type HttpExpectation, type Verdict } from "./http-check.js";

export interface CheckSettings {
	/** `null`: who accepts is good. */
	readonly http: HttpExpectation | null;
	readonly timeoutMs: number;
}

export interface CheckWorld {
	/** Who asks, for the server's log. */
	readonly program: string;
	/** What is wrong with who takes longer than `timeoutMs`. */
	readonly late: string;
	/** Ends the connection, whatever it is at. */
	readonly close: () => void;
	/** Comes once, behind `close`; not when it was stopped. */
	readonly verdict: Verdict;
}

export class OneCheck {
	readonly #settings: CheckSettings;
	readonly #world: CheckWorld;
	readonly #deadline: NodeJS.Timeout;
	#exchange: HttpCheck | undefined;
	#isOver = false;

	constructor(settings: CheckSettings, world: CheckWorld) {
		this.#settings = settings;
		this.#world = world;
		this.#deadline = setTimeout(() => this.failed(new Error(world.late)), settings.timeoutMs).unref();
	}

	/** The verdict is there, or nobody waits for it. */
	get isOver(): boolean {
		return this.#isOver;
	}

	/** It accepts: good enough, where nothing is asked. A request waits by itself for a connection that is still being made. */
	reached(stream: Socket): void {
		const { http } = this.#settings;
		if (http === null) this.#finish(undefined);
		else this.#exchange = new HttpCheck(http, this.#world.program, stream, (error) => this.#finish(error));
	}

	/** The connection broke, or did not come to be. Behind an answer that is no fault. */
	failed(error: Error): void {
		if (this.#exchange?.isAnswered === true) this.#exchange.conclude();
		else this.#finish(error);
	}

	/** Ends it without a verdict. */
	stop(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		clearTimeout(this.#deadline);
		this.#world.close();
	}

	#finish(error: Error | undefined): void {
		if (this.#isOver) return;
		this.stop();
		this.#world.verdict(error);
	}
}
