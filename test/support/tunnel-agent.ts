/** An agent in this process, which a test listens to. */

import { startReactorMover } from "../../src/gateway/agent/reactor-mover.js";
import { Agent, type AgentWorld } from "../../src/tunnel/agent/agent.js";
import type { AgentEvent } from "../../src/tunnel/agent/events.js";
import { parseLocal } from "../../src/tunnel/agent/schema.js";
import type { AgentSettings, TunnelSettings } from "../../src/tunnel/agent/settings.js";
import { LOOPBACK } from "./peers.js";
import type { Scenario } from "./scenario.js";
import type { TunnelGateway } from "./tunnel-gateway.js";
import { Changes } from "./waiting.js";

/** Also of those that share their fields with another one. */
type EventOf<Name, Event = AgentEvent> = Event extends { readonly event: infer Names }
	? Name extends Names
		? Event
		: never
	: never;

export interface RunningAgent {
	readonly agent: Agent;
	readonly events: readonly AgentEvent[];
	/** The next event of that name, in the order in which they came. */
	next<Name extends AgentEvent["event"]>(name: Name): Promise<EventOf<Name>>;
}

export function tunnelTo(
	kind: TunnelSettings["kind"],
	local: string,
	more: Partial<TunnelSettings> = {},
): TunnelSettings {
	return { kind, name: "app", local: parseLocal(local), ...more };
}

export function settingsFor(
	gateway: TunnelGateway,
	tunnels: readonly TunnelSettings[],
	more: Partial<AgentSettings> = {},
): AgentSettings {
	return {
		...{ gateway: { host: LOOPBACK, port: gateway.port }, identity: gateway.identity, proxy: undefined },
		trust: { fingerprint: gateway.fingerprint },
		insecure: gateway.options.insecure === true,
		...{ tunnels, drainMs: 1, retryMaxMs: 500 },
		...more,
	};
}

/** The same with a reactor that moves the bytes of its lines. */
export async function startAgentWithReactor(
	scenario: Scenario,
	settings: AgentSettings,
): Promise<RunningAgent> {
	return startAgent(scenario, settings, { mover: await startReactorMover(settings, false) });
}

/** Starts it. When the scenario ends it must leave nothing open. */
export function startAgent(
	scenario: Scenario,
	settings: AgentSettings,
	world: Pick<AgentWorld, "clock" | "mover"> = {},
): RunningAgent {
	const events: AgentEvent[] = [];
	const unread: AgentEvent[] = [];
	const changes = new Changes();
	const report = (event: AgentEvent): void => {
		events.push(event);
		unread.push(event);
		changes.announce();
	};
	const agent = new Agent(settings, { report, version: "test/1", ...world });
	agent.start();
	scenario.defer(async () => {
		agent.end("the test is over");
		await agent.ended;
	});
	return {
		...{ agent, events },
		next: (name) =>
			changes.until(
				() => {
					const index = unread.findIndex(({ event }) => event === name);
					return index < 0 ? undefined : (unread.splice(index, 1)[0] as EventOf<typeof name>);
				},
				() => `no "${name}"; told: ${JSON.stringify(events)}`,
			),
	};
}
