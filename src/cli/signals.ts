/** What a running gateway does at signals. */
import type { Gateway } from "../gateway/gateway.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";
import { unblockSignal } from "../kernel/signal-mask.js";
import { exitNow } from "../kernel/sockets.js";
import { GATEWAY_SIGNALS, type GatewaySignal, takeSignals } from "./early-signals.js";
import { EXIT_FAULT } from "./end.js";

export interface Signals {
	/** Says whom signals are for. Those that came before are carried out now. */
	attach(gateway: Gateway, reload: () => void): void;
}

/** They end other programs, and operators send them to proxies: to reopen logs, or to upgrade. */
const WITHOUT_EFFECT = {
	SIGUSR1: "SIGUSR1 does nothing: the log is standard output, which whoever reads it rotates",
	SIGUSR2: "SIGUSR2 does nothing: it is reserved for later versions",
} as const;

/**
 * SIGHUP reloads. The first SIGTERM, SIGINT or SIGQUIT drains; a second ends at once, whatever is stuck. The others that
 * would end the process by default do nothing, and the log says so.
 */
export function listenForSignals(): Signals {
	let attached: { gateway: Gateway; reload: () => void } | undefined;
	let ending = false;
	let reloading = false;
	const unused = new Set<keyof typeof WITHOUT_EFFECT>();
	const end = (): void => {
		if (ending) exitNow(130);
		ending = true;
		if (attached !== undefined) void drain(attached.gateway);
	};
	const ignore = (signal: keyof typeof WITHOUT_EFFECT): void => {
		if (attached === undefined) unused.add(signal);
		else attached.gateway.log.logger.warn(WITHOUT_EFFECT[signal]);
	};
	const heard: Record<GatewaySignal, () => void> = {
		SIGTERM: end,
		SIGINT: end,
		SIGQUIT: end,
		SIGHUP: () => {
			if (attached === undefined) reloading = true;
			else if (ending) attached.gateway.log.logger.warn("SIGHUP does nothing: the gateway is draining");
			else attached.reload();
		},
		SIGUSR1: () => ignore("SIGUSR1"),
		SIGUSR2: () => ignore("SIGUSR2"),
	};
	for (const signal of GATEWAY_SIGNALS) process.on(signal, heard[signal]);
	for (const signal of takeSignals()) heard[signal]();
	// Not before: without a listener it would end the process.
	if (whyNoSystemCalls() === undefined) unblockSignal("SIGUSR1");
	return {
		attach(gateway, reload) {
			attached = { gateway, reload };
			for (const signal of unused) gateway.log.logger.warn(WITHOUT_EFFECT[signal]);
			if (reloading) reload();
			// Behind the reload, as they came.
			if (ending) setImmediate(() => void drain(gateway));
		},
	};
}

async function drain(gateway: Gateway): Promise<never> {
	try {
		await gateway.drain();
	} catch (error) {
		gateway.log.logger.error({ error: (error as Error).message }, "the drain failed; the process ends");
		await gateway.log.flush();
		exitNow(EXIT_FAULT);
	}
	return exitNow(0);
}
