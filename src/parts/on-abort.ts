/** Many that wait on one signal, such as that of a server's shutdown. */

interface Heard {
	readonly calls: Set<() => void>;
	readonly listener: () => void;
}

/** A signal that nobody waits on is not in here, and has no listener. */
const heard = new WeakMap<AbortSignal, Heard>();

/**
 * Calls when the signal is aborted. Returns what cancels that; the second time it does nothing. A signal has one listener of
 * ours, however many wait on it: Node walks over all of them to add or remove one, and warns of a leak from eleven on.
 */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
	if (signal === undefined) return () => {};
	const { calls } = heard.get(signal) ?? listenTo(signal);
	calls.add(call);
	return () => {
		if (calls.delete(call) && calls.size === 0) leave(signal, calls);
	};
}

function listenTo(signal: AbortSignal): Heard {
	const calls = new Set<() => void>();
	const listener = (): void => {
		for (const call of calls) call();
	};
	const entry = { calls, listener };
	heard.set(signal, entry);
	signal.addEventListener("abort", listener);
	return entry;
}

/** Others may have come and gone since, with a listener of their own. */
function leave(signal: AbortSignal, calls: Heard["calls"]): void {
	const entry = heard.get(signal);
	if (entry?.calls !== calls) return;
	signal.removeEventListener("abort", entry.listener);
	heard.delete(signal);
}
