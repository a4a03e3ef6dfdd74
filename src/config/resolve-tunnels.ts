/** `tunnels` with its defaults filled in. */
import { resolve } from "node:path";
import { bindText } from "./bind-rules.js";
import type { Deadlines, RoutedTimeouts, TunnelAgentConfig, TunnelsConfig } from "./config.js";
import * as defaults from "./defaults.js";
import { routedTimeouts, tunnelTimeouts } from "./resolve-timeouts.js";
import type { ConfigFile } from "./schema.js";

type TunnelsFile = NonNullable<ConfigFile["tunnels"]>;

/** `hold`: what visitors are held to who come by no listener of the file. `general`: what that says of all sessions. */
export function resolveTunnels(
	file: TunnelsFile | undefined,
	baseDir: string,
	hold: (timeouts: Partial<RoutedTimeouts>) => Deadlines,
	general: ConfigFile["timeouts"],
): TunnelsConfig | null {
	if (file === undefined) return null;
	const timeouts = tunnelTimeouts(file.timeouts, [general]);
	const { listen, tls, lines_max: linesMax = defaults.tunnels.linesMax } = file;
	return {
		...{ name: bindText(listen), host: listen.host, port: listen.port },
		tls:
			tls === undefined ? null : { certFile: resolve(baseDir, tls.cert), keyFile: resolve(baseDir, tls.key) },
		domain: file.domain ?? null,
		ports: file.ports ?? null,
		lines: file.lines ?? defaults.tunnels.lines,
		linesMax,
		linesReserved: file.lines_reserved ?? Math.min(defaults.tunnels.linesReserved, linesMax - 1),
		ageMs: file.age ?? defaults.tunnels.ageMs,
		requests: file.requests ?? defaults.tunnels.requests,
		heartbeatMs: file.heartbeat ?? defaults.tunnels.heartbeatMs,
		deadAfterMs: file.dead_after ?? defaults.tunnels.deadAfterMs,
		canaryMs: file.canary ?? defaults.tunnels.canaryMs,
		...{ timeouts, deadlines: hold(timeouts), datagramDeadlines: datagramDeadlines(file, hold) },
		plainLines: file.plain_lines !== "off",
		superseded: file.superseded ?? defaults.tunnels.superseded,
		agents: file.agents.map(resolveAgent),
	};
}

/** Of general deadlines and the defaults of tunnels, which are of connections, how long those may be idle does not hold. */
function datagramDeadlines(
	{ timeouts }: TunnelsFile,
	hold: (timeouts: Partial<RoutedTimeouts>) => Deadlines,
): Deadlines {
	const { idleMs, quicIdleMs } = defaults.datagrams;
	const said = routedTimeouts(timeouts);
	const deadlines = hold({ idleMs, ...said });
	return said.idleMs === undefined ? { ...deadlines, quicIdleMs } : deadlines;
}

function resolveAgent(agent: TunnelsFile["agents"][number]): TunnelAgentConfig {
	const { id, public_key: key, public_keys: keys, bytes_per_second: rate } = agent;
	return {
		id,
		// The rules say that there is one of the two.
		publicKeys: keys ?? (key === undefined ? [] : [key]),
		names: agent.names ?? [],
		domains: agent.domains ?? [],
		ports: agent.ports ?? null,
		shared: agent.shared ?? false,
		connections: agent.connections ?? null,
		bytesPerSecond: typeof rate === "number" ? rate : null,
		basicAuth: agent.basic_auth ?? null,
	};
}
