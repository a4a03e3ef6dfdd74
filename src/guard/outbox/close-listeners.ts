/** Who wants to know that an outbox has closed. Mostly nobody or one, and there may be ten thousand outboxes. */

/** One that is passed twice is called twice, and cancelled one by one: each time, it is another of these. */
export interface CloseListener {
	readonly call: (reason: string) => void;
}

/** A set of them only where there is more than one. */
export type CloseListeners = CloseListener | Set<CloseListener> | undefined;

/** With one more. */
export function withListener(listeners: CloseListeners, listener: CloseListener): CloseListeners {
	if (listeners === undefined) return listener;
	return listeners instanceof Set ? listeners.add(listener) : new Set([listeners, listener]);
}

/** Without it. */
export function withoutListener(listeners: CloseListeners, listener: CloseListener): CloseListeners {
	if (listeners instanceof Set) listeners.delete(listener);
	return listeners === listener ? undefined : listeners;
}

/** Calls all of them. Throws what the first of them has thrown, when all have heard of it. */
export function tellListeners(listeners: CloseListeners, reason: string): void {
	const errors: unknown[] = [];
	for (const listener of listeners instanceof Set ? listeners : [listeners]) {
		try {
			listener?.call(reason);
		} catch (error) {
			errors.push(error);
		}
	}
	if (errors.length > 0) throw errors[0];
}
