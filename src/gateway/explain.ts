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
	Deadlines,
	FixedAnswerConfig,
	ListenerConfig,
	RouteConfig,
	RouteProtocol,
	Timeouts,
} from "../config/config.js";
import * as defaults from "../config/defaults.js";
import { HUB, TUNNELS } from "../config/names.js";
import { orThereAre } from "../config/nearest.js";
import { usersOf } from "../config/passwords.js";
import { namesOver } from "../config/terminated.js";
import { formatDuration, formatSize } from "../config/units.js";
import { type Imagined, whyNot } from "../route/explain.js";
import { normalPath } from "../route/router.js";
import { hubDeadlines, hubExplanation } from "./explain-hub.js";
import { isTunnel } from "./tunnels/expand.js";

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

/** Those that sessions of datagrams have. */
const OF_DATAGRAMS: readonly (keyof typeof TIMEOUTS)[] = ["handshakeMs", "idleMs", "lifetimeMs"];

/** Those that the hub's subscribers are not held to: silence ends none, and nothing goes on to an upstream. */
const NOT_OF_THE_HUB: readonly (keyof typeof TIMEOUTS)[] = [
	"connectMs",
	"idleMs",
	"halfClosedMs",
	"responseHeadMs",
];

const PROTOCOLS: readonly string[] = [
	"tls",
	"http",
	"ssh",
	"h2c",
	"quic",
	"dtls",
	"other",
	"any",
] satisfies RouteProtocol[];

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
	return able(listeners, question).map((listener) => {
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

/** Those of these listeners that such a session could come to. */
function able(listeners: readonly ListenerConfig[], question: Question): readonly ListenerConfig[] {
	const { protocol = "", host, path, subprotocol } = question;
	const isStream =
		["tls", "http", "ssh", "h2c"].includes(protocol) || (host ?? path ?? subprotocol) !== undefined;
	const isDatagrams = protocol === "quic" || protocol === "dtls";
	const found = listeners.filter(({ datagrams }) => (datagrams === undefined ? !isDatagrams : !isStream));
	if (found.length > 0 || listeners.length === 0) return found;
	const [what, others] = isDatagrams ? ["datagrams", "connections"] : ["a connection", "datagrams"];
	const [only] = question.listener === undefined ? [] : listeners;
	throw new OperationError(
		`what is asked about comes by ${what}, and ${only === undefined ? "all listeners take" : `"${only.name}" takes`} ${others}`,
	);
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
	if (listener.datagrams !== undefined) return imagineDatagram(question, name, source);
	const isTls = sni !== null || alpn !== undefined || protocol === "tls";
	const ends = isTls && isTerminated(listener, name);
	const asks = host !== null || path !== null || subprotocol !== null;
	const said =
		protocol === "any" || (protocol === "tls" && ends) ? undefined : (protocol as Spoken | undefined);
	return {
		// What is inside TLS is looked at where that ends here; of all other TLS it is TLS that is seen.
		protocol: isTls && !ends ? "tls" : (said ?? (asks ? "http" : waits(listener) ? null : "other")),
		isTerminated: ends,
		...{ sni: name, host: host?.toLowerCase().replace(/:\d+$/, "") ?? null },
		path: path === null ? null : normalPath(path.split("?", 1)[0] ?? "", listener.paths !== "as_is"),
		subprotocol,
		alpn: alpn === undefined ? [] : alpn.split(","),
		source,
	};
}

/** What comes there is looked at, so that who is silent is waited for; others are routed at once. As the router's `peeks`. */
function waits({ routes, readsRequests, certificates }: ListenerConfig): boolean {
	const looks = ({ sni, host, alpn, protocol, path, subprotocol }: RouteConfig): boolean =>
		(sni ?? host ?? alpn ?? protocol ?? path ?? subprotocol) !== null;
	return readsRequests || certificates.length > 0 || routes.some(looks);
}

/** Who asks for a name by UDP is mostly QUIC; and nobody is silent. */
function imagineDatagram({ protocol, alpn }: Question, sni: string | null, source: string | null): Imagined {
	const usual = sni !== null || alpn !== undefined ? "quic" : "other";
	return {
		protocol: protocol === undefined || protocol === "any" ? usual : (protocol as Spoken),
		isTerminated: false,
		...{ sni, host: null, path: null, subprotocol: null },
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
	{ isTerminated: terminated, protocol, path }: Imagined,
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
		hub: hubExplanation(config, listener, route, path),
		answer: answerText(route?.answer ?? null),
		users: usersOf(route?.basicAuth ?? []),
		deadlines: deadlinesOf(config, listener, route, protocol === "quic"),
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
	isQuic: boolean,
): Explanation["deadlines"] {
	const to = route?.to ?? null;
	const ofTunnels = to !== null && (to === TUNNELS || isTunnel(to));
	const own: Level = ofTunnels
		? { place: "tunnels", says: config.tunnels?.timeouts, usual: defaults.tunnels.timeouts }
		: { place: "upstream", says: config.upstreams.find(({ name }) => name === to)?.timeouts, usual: {} };
	const { datagrams, deadlines } = listener;
	const held = route?.deadlines ?? deadlines;
	const fields = Object.keys(TIMEOUTS) as (keyof typeof TIMEOUTS)[];
	const hub = to === HUB ? config.hub : null;
	const found = fields
		.filter((field) => datagrams === undefined || OF_DATAGRAMS.includes(field))
		.filter((field) => hub === null || !NOT_OF_THE_HUB.includes(field))
		.map((field) => {
			const ofDatagrams = datagrams !== undefined && field === "idleMs";
			const ms = ofDatagrams ? datagramIdleMs(held, isQuic) : held.timeouts[field];
			return {
				timeout: TIMEOUTS[field],
				value: ms === 0 ? "off" : formatDuration(ms),
				from: ofDatagrams
					? datagramIdleOrigin(ms, listener, own, isQuic)
					: originOf(field, ms, listener, own, config.timeouts),
			};
		});
	return hub === null ? found : [...found, ...hubDeadlines(hub)];
}

function datagramIdleMs({ timeouts, quicIdleMs }: Deadlines, isQuic: boolean): number {
	return isQuic ? (quicIdleMs ?? timeouts.idleMs) : timeouts.idleMs;
}

/** The general timeouts do not say it. */
function datagramIdleOrigin(
	ms: number,
	{ name, deadlines }: ListenerConfig,
	own: Level,
	isQuic: boolean,
): string {
	if (datagramIdleMs(deadlines, isQuic) === ms)
		return deadlines.quicIdleMs === undefined ? `listener ${name}` : "default";
	return own.says?.idleMs === ms ? own.place : "route";
}

/** What holds between a listener and its route. */
interface Level {
	readonly place: string;
	readonly says: Partial<Timeouts> | undefined;
	/** Where the file says nothing. */
	readonly usual: Partial<Timeouts>;
}

/** The most general place that says this value: what a special one repeats makes no difference. */
function originOf(
	field: keyof typeof TIMEOUTS,
	ms: number,
	listener: ListenerConfig,
	own: Level,
	general: Timeouts,
): string {
	if (listener.deadlines.timeouts[field] === ms) {
		if (general[field] !== ms) return `listener ${listener.name}`;
		return defaults.timeouts[field] === ms ? "default" : "timeouts";
	}
	if (own.says?.[field] !== ms) return "route";
	return own.usual[field] === ms ? "default" : own.place;
}
