/** A framework's own close and the guard's, in the orders in which a program may call them. */
import type { Guarded } from "../../../src/guard/guard.js";

type Close = () => Promise<unknown>;

/** Ends when both have. */
export type CloseBoth = (own: Close, guards: Close, guarded: Guarded) => Promise<unknown>;

export const WITH_THE_GUARD = [
	"with the guard",
	(own: Close, guards: Close) => Promise.all([own(), guards()]),
] as const satisfies [string, CloseBoth];

export const BEFORE_THE_GUARD = [
	"before the guard",
	async (own: Close, guards: Close) => [await own(), await guards()],
] as const satisfies [string, CloseBoth];

export const AFTER_THE_GUARD = [
	"after the guard",
	async (own: Close, guards: Close) => [await guards(), await own()],
] as const satisfies [string, CloseBoth];

/** As the guard's page has it. */
export const AT_THE_DRAIN = [
	"at the guard's drain",
	(own: Close, guards: Close, guarded: Guarded) => {
		const ended = new Promise((resolve) => guarded.once("drain", () => resolve(own())));
		return Promise.all([guards(), ended]);
	},
] as const satisfies [string, CloseBoth];
