/** `tunnels` with its defaults filled in. */
import { resolve } from "node:path";
import { bindText } from "./bind-rules.js";
import type { TunnelAgentConfig, TunnelsConfig } from "./config.js";
import * as defaults from "./defaults.js";
import type { ConfigFile } from "./schema.js";

type TunnelsFile = NonNullable<ConfigFile["tunnels"]>;

export function resolveTunnels(file: TunnelsFile | undefined, baseDir: string): TunnelsConfig | null {
	if (file === undefined) return null;
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
		plainLines: file.plain_lines !== "off",
		superseded: file.superseded ?? defaults.tunnels.superseded,
		agents: file.agents.map(resolveAgent),
	};
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
