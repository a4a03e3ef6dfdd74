/** Where in the program something happened. */

/**
 * The callers of `below`, one a line. As text at once: until it is one, a stack holds on to the objects whose methods are on it,
 * and one of these may hold the lease that is to be found when nobody holds it.
 */
export function stackHere(below: (...args: never[]) => unknown): string | undefined {
	const noted: { stack?: string } = {};
	Error.captureStackTrace(noted, below);
	const { stack } = noted;
	// The first line names the object, as it would an error.
	return stack?.slice(stack.indexOf("\n") + 1);
}

/** Whether stacks are kept where nothing is said: they cost microseconds each, which production has better uses for. */
export function tracesByDefault(): boolean {
	return process.env["NODE_ENV"] !== "production";
}
