/** Deadlines and options by the number that a session carries. Old ones stay while sessions use them. */
import { cell } from "../../parts/at.js";
import type { Policy, RoutePlaces } from "./plan.js";

/** A row's column has 16 bits for the number. */
const POLICIES_MAX = 65_536;

/** Who counts the sessions of routes that have a limit. */
export interface RouteCounts {
	takeOfRoute(places: RoutePlaces): boolean;
	leaveRoute(route: number): void;
}

export class Policies {
	readonly #routes: RouteCounts;
	readonly #policies: Policy[] = [];
	/** The policies, as text. */
	readonly #texts: string[] = [];
	readonly #numbers = new Map<string, number>();
	/** Times that sessions carry each. */
	readonly #sessions: number[] = [];
	#given: readonly number[] = [];

	constructor(routes: RouteCounts) {
		this.#routes = routes;
	}

	/** The numbers of policies that are given out from now on, in their order; `undefined`: too many are used by sessions of earlier ones. */
	use(policies: readonly Policy[]): readonly number[] | undefined {
		const texts = policies.map((policy) => JSON.stringify(policy));
		const taken = new Set(this.#given);
		for (const text of texts) {
			const known = this.#numbers.get(text);
			if (known !== undefined) taken.add(known);
		}
		const numbers: number[] = [];
		for (const [index, text] of texts.entries()) {
			const number = this.#numbers.get(text) ?? this.#place(taken);
			if (number < 0) return undefined;
			taken.add(number);
			numbers.push(number);
			this.#numbers.delete(this.#texts[number] ?? "");
			this.#numbers.set(text, number);
			this.#texts[number] = text;
			this.#policies[number] = policies[index] as Policy; // as many as texts
			this.#sessions[number] ??= 0;
		}
		this.#given = numbers;
		return numbers;
	}

	/** What `use` said last: those that listeners and routes give out. */
	get given(): readonly number[] {
		return this.#given;
	}

	/** All that are kept. */
	get all(): readonly Policy[] {
		return this.#policies;
	}

	of(number: number): Policy {
		return this.#policies[number] as Policy; // rows hold numbers that `use` gave
	}

	/** A session carries it from now on. False: the route that it belongs to has no place. */
	enter(number: number): boolean {
		const { places } = this.of(number);
		if (places !== null && !this.#routes.takeOfRoute(places)) return false;
		this.#sessions[number] = cell(this.#sessions, number) + 1;
		return true;
	}

	leave(number: number): void {
		const { places } = this.of(number);
		if (places !== null) this.#routes.leaveRoute(places.route);
		this.#sessions[number] = cell(this.#sessions, number) - 1;
	}

	/** One that no session carries and nothing gives out, or a new one. */
	#place(taken: ReadonlySet<number>): number {
		const unused = this.#sessions.findIndex((count, number) => count === 0 && !taken.has(number));
		if (unused >= 0) return unused;
		return this.#policies.length < POLICIES_MAX ? this.#policies.length : -1;
	}
}
