/**
 * Signals that come while the command loads its own files, which takes a part of a second: by default they would end it.
 * They are kept for `listenForSignals`. This file is loaded before all others, and imports none.
 */

/** Those that a gateway does something at, or says that it does nothing. */
export const GATEWAY_SIGNALS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const;

export type GatewaySignal = (typeof GATEWAY_SIGNALS)[number];

const ENDING: ReadonlySet<GatewaySignal> = new Set(["SIGINT", "SIGQUIT", "SIGTERM"]);

/** In the order in which they came, each once. */
const kept = new Set<GatewaySignal>();

/** From now on they end nothing, but for a second one that asks for the end. */
export function keepSignals(): void {
	for (const signal of GATEWAY_SIGNALS) process.on(signal, keep);
}

/** What has come so far. From now on the caller hears them. */
export function takeSignals(): ReadonlySet<GatewaySignal> {
	for (const signal of GATEWAY_SIGNALS) process.off(signal, keep);
	const taken = new Set(kept);
	kept.clear();
	return taken;
}

function keep(signal: GatewaySignal): void {
	// Nothing runs yet that would have to be ended otherwise.
	if (ENDING.has(signal) && [...kept].some((each) => ENDING.has(each))) process.exit(130);
	kept.add(signal);
}
