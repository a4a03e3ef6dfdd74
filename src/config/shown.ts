/** The configuration in force, as operators are shown it: in JSON, and without what nobody is to know. */
import type { Config, ListenerConfig, TunnelsConfig, UpstreamConfig } from "./config.js";
import type { PasswordEntry } from "./passwords.js";

export function shownConfig(config: Config): unknown {
	const { places: _, parts: __, warnings, adminTokens, listeners, upstreams, tunnels, ...rest } = config;
	return {
		...rest,
		adminTokens: {
			full: adminTokens.full === null ? null : "(set)",
			read: adminTokens.read === null ? null : "(set)",
		},
		listeners: listeners.map(shownListener),
		upstreams: upstreams.map(shownUpstream),
		tunnels: tunnels && shownTunnels(tunnels),
		warnings: warnings.map(({ message, line }) => ({ line, message })),
	};
}

/** What is kept of passwords is told to nobody: whoever reads it may guess for as long as he likes. */
function hidden(list: readonly PasswordEntry[]): PasswordEntry[] {
	return list.map(({ user }) => ({ user, hash: "(set)" }));
}

function shownListener(listener: ListenerConfig): ListenerConfig {
	const routes = listener.routes.map((route) =>
		route.basicAuth === undefined ? route : { ...route, basicAuth: route.basicAuth.map(hidden) },
	);
	return { ...listener, routes };
}

function shownTunnels(tunnels: TunnelsConfig): TunnelsConfig {
	const agents = tunnels.agents.map((agent) => ({
		...agent,
		basicAuth: agent.basicAuth && hidden(agent.basicAuth),
	}));
	return { ...tunnels, agents };
}

/** Bytes are told as the hex digits that a file has for them. */
function shownUpstream({ addresses, health, ...upstream }: UpstreamConfig): unknown {
	return {
		...upstream,
		addresses: addresses.map(({ serverId, ...address }) =>
			serverId === undefined ? address : { ...address, serverId: hex(serverId) },
		),
		health: health?.datagram === undefined ? health : { ...health, datagram: hex(health.datagram) },
	};
}

function hex(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("hex");
}
