/** What an agent is told: by flags, or by a file. */
import type { HealthConfig } from "../../config/config.js";
import type { PasswordEntry } from "../../config/passwords.js";
import type { TunnelKind } from "../../protocol/tunnel/index.js";
import type { Identity } from "../keys.js";

export interface GatewayAddress {
	/** A name, or an IP literal without brackets. */
	readonly host: string;
	readonly port: number;
}

/** By what the gateway is known. With neither of both, by the authorities that Node carries. */
export interface Trust {
	/** Authorities, PEM. */
	readonly ca?: string;
	/** SHA-256 of its certificate: 64 hexadecimal digits, in upper case. */
	readonly fingerprint?: string;
}

/** An HTTP proxy that connections go through. */
export interface ProxyAddress extends GatewayAddress {
	/** The value of Proxy-Authorization. */
	readonly authorization?: string;
}

/** Where a tunnel ends: a service beside the agent. */
export interface LocalTarget {
	/** As it was written. */
	readonly text: string;
	readonly where: { readonly host: string; readonly port: number } | { readonly path: string };
	/** It speaks TLS. */
	readonly tls: boolean;
}

export interface TunnelSettings {
	readonly kind: TunnelKind;
	readonly name: string;
	readonly local: LocalTarget;
	/** The public port that a tcp or udp tunnel asks for. */
	readonly port?: number;
	/** Lines of a tcp or udp tunnel may come without TLS. */
	readonly plain?: boolean;
	/** What requests are sent with as Host; the name that a local TLS server is asked for. */
	readonly hostHeader?: string;
	/** The local service is told who the visitor is, by a PROXY header. */
	readonly proxyProtocol?: boolean;
	/** How it is checked whether the local service is there; absent: it is not. */
	readonly localCheck?: HealthConfig;
	/** Visitors of an http tunnel are asked for one of these names and its password. */
	readonly basicAuth?: readonly PasswordEntry[];
	readonly allow?: readonly string[];
	readonly connections?: number;
	readonly bytesPerSecond?: number;
}

export interface AgentSettings {
	readonly gateway: GatewayAddress;
	readonly identity: Identity;
	readonly trust: Trust;
	/** No TLS at all: for a gateway on this machine, to try things out. */
	readonly insecure: boolean;
	readonly proxy: ProxyAddress | undefined;
	readonly tunnels: readonly TunnelSettings[];
	/** Running visitors have so long when the agent is asked to end. */
	readonly drainMs: number;
	/** The longest pause between two attempts to connect. */
	readonly retryMaxMs: number;
}

/** Whether a reload has to connect anew. */
export function sameConnection(a: AgentSettings, b: AgentSettings): boolean {
	const of = ({ gateway, trust, insecure, proxy, identity }: AgentSettings): string =>
		JSON.stringify([gateway, trust, insecure, proxy, identity.id, [...identity.publicKey]]);
	return of(a) === of(b);
}

/** Whether the gateway is told the same of both; where they end is the agent's affair alone. */
export function sameTunnel(a: TunnelSettings, b: TunnelSettings): boolean {
	const of = ({ kind, name, port, plain, allow, basicAuth, connections, bytesPerSecond }: TunnelSettings) =>
		JSON.stringify([kind, name, port, plain, allow, basicAuth, connections, bytesPerSecond]);
	return of(a) === of(b);
}
