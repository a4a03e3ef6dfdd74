/** Deadlines and options by the number that a session carries. Old ones stay while sessions use them. */
import { cell } from "../../parts/at.js";
import type { Policy } from "./plan.js";

/** A row's column has 16 bits for the number. */
const POLICIES_MAX = 65_536;

export class Policies {
	readonly #policies: Policy[] = [];
	/** The policies, as text. */
	readonly #texts: string[] = [];
	readonly #numbers = new Map<string, number>();
	/** Sessions that carry each. */
	readonly #sessions: number[] = [];
	/** What new sessions get. */
	#current = 0;

	/** The number of the policy that new sessions get from now on; -1: all are used by sessions of earlier ones. */
	use(policy: Policy): number {
		const text = JSON.stringify(policy);
		const number = this.#numbers.get(text) ?? this.#place();
		if (number < 0) return number;
		this.#numbers.delete(this.#texts[number] ?? "");
		this.#numbers.set(text, number);
		this.#texts[number] = text;
		this.#policies[number] = policy;
		this.#sessions[number] ??= 0;
		this.#current = number;
		return number;
	}

	/** What new sessions get. */
	get current(): number {
		return this.#current;
	}

	/** All that are kept. */
	get all(): readonly Policy[] {
		return this.#policies;
	}

	of(number: number): Policy {
		return this.#policies[number] as Policy; // rows hold numbers that `use` gave
	}

	enter(number: number): void {
		this.#sessions[number] = cell(this.#sessions, number) + 1;
	}

	leave(number: number): void {
		this.#sessions[number] = cell(this.#sessions, number) - 1;
	}

	/** One that no session carries and no listener gives out, or a new one. */
	#place(): number {
		const unused = this.#sessions.findIndex((count, number) => count === 0 && number !== this.#current);
		if (unused >= 0) return unused;
		return this.#policies.length < POLICIES_MAX ? this.#policies.length : -1;
	}
}
