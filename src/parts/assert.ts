/**
 * Checks at the boundary of a part: what must hold however wrong the outside is. A failed one is a fault of Sluice itself, and
 * ends the reactor, which is better than going on with state that nobody understands.
 */

/**
 * Checks that cost more than what they check (a walk through a list, a look at other rows) are made where this is on: in the
 * simulation, and in tests.
 */
export const thorough = { isOn: false };

/** `what`: what should have held, in words. */
export function assert(holds: boolean, what: string): asserts holds {
	if (!holds) fail(what);
}

/** Apart, so that no caller carries the making of an error in its own code. */
function fail(what: string): never {
	throw new Error(`this must hold, and does not: ${what}`);
}
