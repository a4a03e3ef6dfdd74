/** What the admin port sees of the gateway: each question goes to whoever knows. */
import type { AdminView } from "../admin/view.js";
import { handshakes } from "../kernel/proc.js";
import type { HeldListeners } from "./held-listeners.js";
import type { HubPart } from "./hub/hub-part.js";
import type { Ledger } from "./ledger.js";
import { acceptQueues, halfOpen } from "./listeners.js";
import type { Log } from "./log.js";
import type { MainThread } from "./main-thread.js";
import type { Operator } from "./operator.js";
import { type Registry, splitKey } from "./plan.js";
import type { PlanSwitch } from "./plan-switch.js";
import type { MemoryPressure } from "./pressure.js";
import type { Reactors } from "./reactors.js";
import type { Reloads } from "./reloads.js";
import type { SessionLog } from "./session-log.js";
import type { Desk } from "./sessions/desk.js";
import type { Tls } from "./tls.js";
import type { Tunnels } from "./tunnels/tunnels.js";
import type { Upstreams } from "./upstreams.js";
import { packageVersion } from "./version.js";

export interface Seen {
	readonly reactors: Reactors;
	readonly registry: Registry;
	readonly upstreams: Upstreams;
	readonly listeners: HeldListeners;
	readonly plans: PlanSwitch;
	readonly ledger: Ledger;
	readonly log: Log;
	readonly reloads: Reloads;
	readonly tls: Tls;
	readonly desk: Desk;
	readonly operator: Operator;
	readonly tunnels: Tunnels;
	readonly hub: HubPart;
	readonly mainThread: MainThread | undefined;
	/** How many descriptors it may use. */
	readonly descriptors: number;
	readonly state: () => ReturnType<AdminView["state"]>;
	/** `undefined`: it has not started so far. */
	readonly pressure: () => MemoryPressure | undefined;
	readonly sessionLog: () => SessionLog | undefined;
}

export function adminView(seen: Seen): AdminView {
	const { reactors, registry, upstreams, listeners, plans, ledger, log, reloads, tls } = seen;
	const { desk, operator, tunnels, hub, mainThread, descriptors, state, pressure, sessionLog } = seen;
	return {
		counters: () => reactors.counters,
		listeners: () => named(registry.listeners.entries()),
		routes: () =>
			[...registry.routes.entries()].map(([key, slot]) => {
				const [listener, name] = splitKey(key);
				return { slot, listener, name };
			}),
		upstreams: () => named(registry.upstreams.entries()),
		addresses: () => upstreams.addresses(),
		acceptQueues: () => acceptQueues(listeners.present),
		connectionsMax: () => plans.connections,
		descriptorsMax: () => descriptors,
		descriptorsReserved: () => plans.config.limits.fdReserve,
		connectionsOfListener: () =>
			plans.config.listeners.map(({ name, connections }) => ({
				listener: name,
				limit: connections ?? plans.connections,
			})),
		sources: () => reactors.sources,
		memory: () => ({
			limit: pressure()?.limitBytes ?? 0,
			system: pressure()?.systemBytes ?? 0,
			under: pressure()?.under ?? false,
		}),
		halfOpen: () => halfOpen(listeners.present),
		handshakes: () => handshakes(),
		descriptors: () => ledger.kinds(),
		ledger: () => ({ checks: ledger.checks, last: ledger.last }),
		checkLedger: async () => {
			await reactors.measure();
			return ledger.check();
		},
		logLinesDropped: () => log.dropped() + (sessionLog()?.dropped ?? 0),
		reloads: () => reloads,
		certificates: () => tls.certificates.expiries,
		adminHosts: () => plans.config.adminHosts,
		sessions: () => desk,
		operations: () => operator,
		tunnels: () => tunnels.view(),
		hub: () => hub.desk,
		hubCounts: () => hub.counts(),
		mainThread: () =>
			mainThread && {
				collectedSeconds: mainThread.collectedSeconds,
				longestDelaySeconds: mainThread.takeLongestDelaySeconds(),
			},
		adminTokens: () => plans.config.adminTokens,
		audit: (facts, message) => log.audit.info(facts, message),
		version: packageVersion,
		state,
	};
}

function named(entries: Iterable<[string, number]>): { slot: number; name: string }[] {
	return [...entries].map(([name, slot]) => ({ slot, name }));
}
