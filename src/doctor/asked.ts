/** What is asked of the machine: by the configuration, and by `--connections`. */
import { REACTORS_MAX } from "../config/bounds.js";
import type { Config, ListenerConfig, UpstreamConfig } from "../config/config.js";
import { loadConfigText } from "../config/load.js";
import type { Facts } from "./facts.js";

export interface Asked {
	readonly facts: Facts;
	readonly config: Config;
	/** No configuration was given: one listener and one upstream address are assumed. */
	readonly isAssumed: boolean;
	/** Sessions that it is to stand; `null`: nobody has said. */
	readonly connections: number | null;
	readonly reactors: number;
}

/** The least that a gateway can be told. */
const ASSUMED = `
listeners: [{ listen: "0.0.0.0:443", routes: [{ to: upstream }] }]
upstreams: { upstream: "192.0.2.1:443" }
`;

export function assumedConfig(): Config {
	return loadConfigText(ASSUMED, { env: {} });
}

/** `wanted`: of `--connections`. */
export function asked(facts: Facts, config: Config | null, wanted: number | null): Asked {
	const used = config ?? assumedConfig();
	return {
		facts,
		config: used,
		isAssumed: config === null,
		connections: wanted ?? used.limits.connections,
		reactors: used.reactors ?? Math.min(facts.cores, REACTORS_MAX),
	};
}

/** Listeners that have a socket of TCP, and those that have one of UDP. */
export function streams({ listeners }: Config): readonly ListenerConfig[] {
	return listeners.filter(({ datagrams }) => datagrams === undefined);
}

export function datagrams({ listeners }: Config): readonly ListenerConfig[] {
	return listeners.filter((listener) => listener.datagrams !== undefined);
}

/** Upstreams that are dialled. */
export function dialled({ upstreams }: Config): readonly UpstreamConfig[] {
	return upstreams.filter(({ addresses }) => addresses.some(({ kind }) => kind !== "unix"));
}
