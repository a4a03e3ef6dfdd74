/** Config plus what is known now (addresses, descriptors) to the plan that reactors run on. */
import type { Config, UpstreamConfig } from "../config/config.js";
import { encodeInternet, encodeUnix } from "../kernel/sockaddr.js";
import { parseIpv4, parseIpv6 } from "../protocol/index.js";
import { LISTENERS_MAX, ROUTES_MAX, UPSTREAMS_MAX } from "../reactor/counters.js";
import type { ListenerPlan, Plan, Policy } from "../reactor/plan.js";
import { ADDRESSES_MAX, type Board } from "../upstream/board.js";
import type { CheckedAddress } from "../upstream/health.js";
import type { AddressPlan, UpstreamPlan } from "../upstream/plan.js";
import type { Resolver, Target } from "../upstream/resolver.js";
import { Slots } from "./slots.js";

/** Gives everything in a config its number, and keeps the numbers over reloads. */
export class Registry {
	readonly listeners = new Slots("listeners", LISTENERS_MAX);
	readonly routes = new Slots("routes", ROUTES_MAX);
	readonly upstreams = new Slots("upstreams", UPSTREAMS_MAX);
	readonly addresses = new Slots("upstream addresses", ADDRESSES_MAX);
	readonly #board: Board;

	constructor(board: Board) {
		this.#board = board;
	}

	/** Declares which names the config in force uses; numbers of others may be given away when none is left. */
	keep(config: Config): void {
		this.listeners.keep(config.listeners.map((listener) => listener.name));
		this.routes.keep(
			config.listeners.flatMap((listener) =>
				listener.routes.map((route) => routeKey(listener.name, route.label)),
			),
		);
		this.upstreams.keep(config.upstreams.map((upstream) => upstream.name));
	}

	upstreamPlan(config: UpstreamConfig, resolver: Resolver): UpstreamPlan {
		const addresses: AddressPlan[] = [];
		for (const endpoint of config.addresses)
			for (const target of resolver.targets(endpoint)) addresses.push(this.#addressPlan(config.name, target));
		return {
			slot: this.upstreams.take(config.name),
			balance: config.balance,
			proxyProtocol: config.proxyProtocol,
			ejectFailures: config.eject.failures,
			ejectForMs: config.eject.forMs,
			addresses,
		};
	}

	/** What health checks have to follow. */
	checkedAddresses(config: Config, resolver: Resolver): CheckedAddress[] {
		const checked: CheckedAddress[] = [];
		for (const upstream of config.upstreams) {
			const { health } = upstream;
			if (health === null) continue;
			for (const endpoint of upstream.addresses) {
				for (const target of resolver.targets(endpoint)) {
					const board = this.#addressPlan(upstream.name, target).board;
					checked.push({ board, target, label: `${upstream.name} ${targetText(target)}`, health });
				}
			}
		}
		return checked;
	}

	#addressPlan(upstream: string, target: Target): AddressPlan {
		const text = targetText(target);
		const board = this.addresses.take(addressKey(upstream, text), (slot) => {
			if (this.#board.active(slot) > 0) return false;
			this.#board.reset(slot);
			return true;
		});
		return { board, sockaddr: sockaddrOf(target), hash: hashOf(text) };
	}
}

/** Names that carry two parts are joined by a character that neither can contain. */
const SEPARATOR = "\t";

export function routeKey(listener: string, label: string): string {
	return `${listener}${SEPARATOR}${label}`;
}

function addressKey(upstream: string, target: string): string {
	return `${upstream}${SEPARATOR}${target}`;
}

/** The parts of a route's or an address's name: its listener or upstream, and itself. */
export function splitKey(key: string): [string, string] {
	const [owner = "", own = ""] = key.split(SEPARATOR);
	return [owner, own];
}

export function policyOf(config: Config): Policy {
	const { timeouts, keepalive } = config;
	return {
		handshakeMs: timeouts.handshakeMs,
		connectMs: timeouts.connectMs,
		idleMs: timeouts.idleMs,
		stallMs: timeouts.stallMs,
		halfClosedMs: timeouts.halfClosedMs,
		lifetimeMs: timeouts.lifetimeMs,
		silenceMs: timeouts.silenceMs,
		keepaliveIdleSeconds: keepalive.idleSeconds,
		keepaliveIntervalSeconds: keepalive.intervalSeconds,
		keepaliveProbes: keepalive.probes,
	};
}

/** The plan for one reactor; `fdOf` names its listening socket for a listener. */
export function planFor(
	config: Config,
	registry: Registry,
	resolver: Resolver,
	revision: number,
	connections: number,
	fdOf: (listener: string) => number,
): Plan {
	const upstreams = config.upstreams.map((upstream) => registry.upstreamPlan(upstream, resolver));
	const listeners: ListenerPlan[] = config.listeners.map((listener) => ({
		slot: registry.listeners.take(listener.name),
		fd: fdOf(listener.name),
		proxyRequired: listener.proxyProtocol.mode === "require",
		trusted: listener.proxyProtocol.trusted,
		routes: listener.routes.map((route) => ({
			conditions: route,
			slot: registry.routes.take(routeKey(listener.name, route.label)),
			upstream: route.to === null ? -1 : registry.upstreams.take(route.to),
		})),
	}));
	return {
		revision,
		policy: policyOf(config),
		connections,
		logSessions: config.log.sessions && config.log.level !== "silent",
		listeners,
		upstreams,
	};
}

export function targetText(target: Target): string {
	if (target.kind === "unix") return `unix:${target.path}`;
	return target.family === 6 ? `[${target.address}]:${target.port}` : `${target.address}:${target.port}`;
}

/** 4 or 16 bytes of an IP literal. */
export function addressBytes(address: string): Uint8Array {
	const bytes = parseIpv4(address) ?? parseIpv6(address);
	if (bytes === undefined) throw new TypeError(`"${address}" is not an IP address`);
	return bytes;
}

function sockaddrOf(target: Target): Uint8Array {
	if (target.kind === "unix") return encodeUnix(target.path);
	return encodeInternet(addressBytes(target.address), target.port);
}

function hashOf(text: string): number {
	let hash = 0x811c9dc5;
	for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
	return hash | 0;
}
