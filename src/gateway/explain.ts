/** What would become of a connection: which route takes it and why not those before, where it goes, and which deadlines it would have. */
import {
	type AddressStatus,
	type Explanation,
	OperationError,
	type Question,
	type UpstreamStatus,
} from "../admin/operation-view.js";
import { parseIp } from "../config/address.js";
import type {
	Config,
	FixedAnswerConfig,
	ListenerConfig,
	RouteConfig,
	RouteProtocol,
	Timeouts,
} from "../config/config.js";
import * as defaults from "../config/defaults.js";
import { orThereAre } from "../config/nearest.js";
import { usersOf } from "../config/passwords.js";
import { namesOver } from "../config/terminated.js";
import { formatDuration, formatSize } from "../config/units.js";
import { type Imagined, whyNot } from "../route/explain.js";
import { normalPath } from "../route/router.js";

/** As they are written in the file; `drain` is of no session. */
const TIMEOUTS = {
	handshakeMs: "handshake",
	connectMs: "connect",
	idleMs: "idle",
	stallMs: "stall",
	halfClosedMs: "half_closed",
	lifetimeMs: "lifetime",
	requestHeadMs: "request_head",
	responseHeadMs: "response_head",
	keepAliveMs: "keep_alive",
	silenceMs: "silence",
} as const satisfies Partial<Record<keyof Timeouts, string>>;

const PROTOCOLS: readonly string[] = ["tls", "http", "ssh", "h2c", "other", "any"] satisfies RouteProtocol[];

/** For each listener that is meant. @throws OperationError */
export function explain(
	config: Config,
	question: Question,
	upstreams: readonly UpstreamStatus[],
	isBanned: (source: string | null) => boolean,
): Explanation[] {
	const { listener: name } = question;
	const listeners = config.listeners.filter((listener) => name === undefined || listener.name === name);
	if (name !== undefined && listeners.length === 0)
		throw new OperationError(
			`there is no listener "${name}"${orThereAre(
				name,
				config.listeners.map((listener) => listener.name),
			)}`,
		);
	return listeners.map((listener) => {
		const asked = imagine(listener, question);
		const passed: { route: string; why: string[] }[] = [];
		for (const route of listener.routes) {
			const why = whyNot(route, asked);
			if (why.length > 0) passed.push({ route: route.label, why });
			else return found(config, listener, route, passed, asked, upstreams, isBanned(asked.source));
		}
		return found(config, listener, null, passed, asked, upstreams, isBanned(asked.source));
	});
}

function imagine(listener: ListenerConfig, question: Question): Imagined {
	const {
		sni = null,
		host = null,
		path = null,
		alpn,
		subprotocol = null,
		protocol,
		source = null,
	} = question;
	if (protocol !== undefined && !PROTOCOLS.includes(protocol))
		throw new OperationError(`unknown protocol "${protocol}"${orThereAre(protocol, PROTOCOLS)}`);
	if (source !== null && parseIp(source) === null)
		throw new OperationError(`source: expected an IP address such as 10.0.0.5, found "${source}"`);
	const name = sni?.toLowerCase() ?? null;
	const isTls = sni !== null || alpn !== undefined || protocol === "tls";
	const ends = isTls && isTerminated(listener, name);
	const asks = host !== null || path !== null || subprotocol !== null;
	const said =
		protocol === "any" || (protocol === "tls" && ends) ? undefined : (protocol as Spoken | undefined);
	return {
		// What is inside TLS is looked at where that ends here; of all other TLS it is TLS that is seen.
		protocol: isTls && !ends ? "tls" : (said ?? (asks ? "http" : null)),
		isTerminated: ends,
		...{ sni: name, host: host?.toLowerCase().replace(/:\d+$/, "") ?? null },
		path: path === null ? null : normalPath(path.split("?", 1)[0] ?? "", listener.paths !== "as_is"),
		subprotocol,
		alpn: alpn === undefined ? [] : alpn.split(","),
		source,
	};
}

type Spoken = Exclude<RouteProtocol, "any">;

function isTerminated({ certificates }: ListenerConfig, name: string | null): boolean {
	const covering = ["*", ...(name === null ? [] : namesOver(name))];
	return certificates.some(({ names }) => names.some((each) => covering.includes(each)));
}

function found(
	config: Config,
	listener: ListenerConfig,
	route: RouteConfig | null,
	passed: Explanation["passed"],
	{ isTerminated: terminated }: Imagined,
	upstreams: readonly UpstreamStatus[],
	banned: boolean,
): Explanation {
	const upstream = route?.to ?? null;
	const addresses: AddressStatus[] = upstreams.find(({ name }) => name === upstream)?.addresses ?? [];
	return {
		...{
			listener: listener.name,
			route: route?.label ?? null,
			passed,
			terminated,
			upstream,
			addresses,
			banned,
		},
		answer: answerText(route?.answer ?? null),
		users: usersOf(route?.basicAuth ?? []),
		deadlines: deadlinesOf(config, listener, route),
		limits: limitsOf(config, listener, route),
	};
}

function answerText(answer: FixedAnswerConfig | null): string | null {
	if (answer === null) return null;
	return answer.redirect === null ? String(answer.status) : `${answer.status} to ${answer.redirect}`;
}

/** All that are set, the special ones first; of one session and of one address that which holds. */
function limitsOf(
	{ limits }: Config,
	listener: ListenerConfig,
	route: RouteConfig | null,
): Explanation["limits"] {
	const at = `listener ${listener.name}`;
	const number = (value: number | null): string | null => (value === null ? null : String(value));
	const size = (value: number | null): string | null => (value === null ? null : formatSize(value));
	const { perIp, perSession } = route?.byteRates ?? listener.byteRates;
	/** The most general place that says this value. */
	const from = (value: number | null, key: "perIp" | "perSession"): string =>
		listener.byteRates[key] !== value ? "route" : limits.byteRates[key] === value ? "limits" : at;
	const found: readonly (readonly [string, string | null, string])[] = [
		["connections", number(route?.connections ?? null), "route"],
		["sessions_per_second", number(route?.sessionsPerSecond ?? null), "route"],
		["requests_per_second", number(route?.requestsPerSecond ?? null), "route"],
		["bytes_per_second", size(route?.byteRates.all ?? null), "route"],
		["connections", number(listener.connections), at],
		["accepts_per_second", number(listener.acceptsPerSecond), at],
		["requests_per_second", number(listener.requestsPerSecond), at],
		["bytes_per_second", size(listener.byteRates.all), at],
		["bytes_per_second_per_ip", size(perIp), from(perIp, "perIp")],
		["bytes_per_second_per_session", size(perSession), from(perSession, "perSession")],
		["connections", number(limits.connections), "limits"],
		["connections_per_ip", number(limits.connectionsPerIp), "limits"],
		["accepts_per_second", number(limits.acceptsPerSecond), "limits"],
		["accepts_per_second_per_ip", number(limits.acceptsPerSecondPerIp), "limits"],
		["requests_per_second", number(limits.requestsPerSecond), "limits"],
		["requests_per_second_per_ip", number(limits.requestsPerSecondPerIp), "limits"],
		["bytes_per_second", size(limits.byteRates.all), "limits"],
	];
	return found.flatMap(([limit, value, origin]) => (value === null ? [] : [{ limit, value, from: origin }]));
}

function deadlinesOf(
	config: Config,
	listener: ListenerConfig,
	route: RouteConfig | null,
): Explanation["deadlines"] {
	const own = config.upstreams.find(({ name }) => name === route?.to)?.timeouts ?? {};
	const held = (route?.deadlines ?? listener.deadlines).timeouts;
	return Object.entries(TIMEOUTS).map(([key, timeout]) => {
		const field = key as keyof typeof TIMEOUTS;
		const ms = held[field];
		return {
			timeout,
			value: ms === 0 ? "off" : formatDuration(ms),
			from: originOf(field, ms, listener, own, config.timeouts),
		};
	});
}

/** The most general place that says this value: what a special one repeats makes no difference. */
function originOf(
	field: keyof typeof TIMEOUTS,
	ms: number,
	listener: ListenerConfig,
	upstream: Partial<Timeouts>,
	general: Timeouts,
): string {
	if (listener.deadlines.timeouts[field] === ms) {
		if (general[field] !== ms) return `listener ${listener.name}`;
		return defaults.timeouts[field] === ms ? "default" : "timeouts";
	}
	return upstream[field] === ms ? "upstream" : "route";
}
