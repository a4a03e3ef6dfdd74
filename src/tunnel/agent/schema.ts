/** What an agent may be told, by a file or by flags, which have the same names: one schema for both. */
import { z } from "zod";
import {
	type AdminAddress,
	formatCidr,
	parseAdmin,
	parseCidr,
	parseEndpoint,
	parseSentHost,
} from "../../config/address.js";
import * as defaults from "../../config/defaults.js";
import { InvalidValue } from "../../config/errors.js";
import { type HealthFile, resolveHealth } from "../../config/resolve-health.js";
import { checkedByPath, health } from "../../config/schema-health.js";
import { passwords } from "../../config/schema-passwords.js";
import {
	expected,
	filePath,
	inList,
	optionalDuration,
	parsed,
	section,
	size,
	whole,
	yesNo,
} from "../../config/schema-values.js";
import type { Path } from "../../config/source.js";
import { formatDuration } from "../../config/units.js";
import { bracketed } from "../../parts/bracketed.js";
import {
	carriesDatagrams,
	isEndToEnd,
	nameWithTransport,
	TUNNEL_KINDS,
	type TunnelKind,
} from "../../protocol/tunnel/index.js";
import { isLoopback } from "./local.js";
import type { GatewayAddress, LocalTarget, TunnelSettings } from "./settings.js";

/** What holds where neither the file nor a flag says anything. */
export const AGENT_DEFAULTS = {
	/** Running visitors have so long at the end. */
	drainMs: 30_000,
	/** Attempts to connect are no further apart. */
	retryMaxMs: 30_000,
	/** Requests that the inspector keeps. */
	inspectRequests: 100,
};

const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const INSPECT = "a port, such as 4040, or an address of this machine, such as 127.0.0.1:4040";
const LOCAL =
	"where the local service is: 3000, 127.0.0.1:3000, unix:/run/app.sock, or https://127.0.0.1:8443";

function parseGateway(text: string): GatewayAddress {
	const endpoint = parseEndpoint(text);
	if (endpoint.kind === "unix")
		throw new InvalidValue("a gateway is reached by TCP: write gw.example.com:4443");
	return { host: endpoint.kind === "ip" ? endpoint.address : endpoint.host, port: endpoint.port };
}

function parseFingerprint(text: string): string {
	const digits = text
		.replace(/^sha-?256[:=]?/i, "")
		.replaceAll(":", "")
		.toUpperCase();
	if (/^[0-9A-F]{64}$/.test(digits)) return digits;
	throw new InvalidValue(
		`expected the SHA-256 of the gateway's certificate, 64 hexadecimal digits (openssl x509 -noout -fingerprint -sha256 -in gw.pem), found "${text}"`,
	);
}

/**
 * A port, HOST:PORT, or a Unix socket; through TLS behind `https://`. A port alone is on localhost, which has two addresses: servers for
 * development listen on either.
 */
export function parseLocal(text: string): LocalTarget {
	const [, scheme = "", rest = text] = /^(https?):\/\/([^/]*)\/?$/i.exec(text) ?? [];
	const tls = scheme.toLowerCase() === "https";
	const usual = tls ? 443 : 80;
	const place = /^\d+$/.test(rest)
		? `localhost:${rest}`
		: scheme !== "" && !/:\d+$/.test(rest)
			? `${rest}:${usual}`
			: rest;
	const endpoint = parseEndpoint(place);
	if (endpoint.kind === "unix") return { text, tls, where: { path: endpoint.path } };
	const host = endpoint.kind === "ip" ? endpoint.address : endpoint.host;
	return { text, tls, where: { host, port: endpoint.port } };
}

/** A port alone is on loopback. */
function parseInspect(text: string): AdminAddress {
	return parseAdmin(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
}

function parseName(text: string): string {
	const name = text.toLowerCase();
	if (NAME.test(name)) return name;
	throw new InvalidValue(`expected a name such as app, or shop.example.org, found "${text}"`);
}

const local = () =>
	z
		.union([whole(1, 65_535), parsed(LOCAL, parseLocal, { examples: ["3000", "127.0.0.1:3000"] })], {
			error: expected(LOCAL),
		})
		.transform((value) => (typeof value === "number" ? parseLocal(String(value)) : value))
		.optional();

const tunnelSchema = section({
	http: local().describe("The tunnel carries requests, and ends at this local service."),
	tcp: local().describe("It carries connections, and ends there."),
	tls: local().describe("It carries TLS that the local service itself ends."),
	udp: local().describe("It carries datagrams."),
	quic: local().describe("It carries QUIC that the local service itself ends."),
	name: parsed("a name such as app", parseName, { examples: ["app"] }).describe(
		"What the tunnel is called: `app` is reached as `app.` and the gateway's `domain`; or a whole name that the gateway allows.",
	),
	port: whole(1, 65_535)
		.optional()
		.describe("tcp, udp: the public port that is asked for. Default: one that the gateway chooses."),
	plain: yesNo().optional().meta({
		description:
			"tcp, udp: lines may come without TLS, for services that encrypt by themselves, such as SSH. The gateway's plain_lines decides whether they do.",
		default: false,
	}),
	host_header: parsed("a host such as app.local", parseSentHost, { examples: ["app.local"] })
		.optional()
		.describe(
			"http: what requests are sent with as Host; also the name that a local TLS server is asked for. Default: the visitor's.",
		),
	proxy_protocol: yesNo().optional().meta({
		description:
			"tcp, tls, udp, quic: the service hears who the visitor is by a PROXY header (version 2) before the visitor's bytes; of datagrams before the first of each session. http services hear it by X-Forwarded-For.",
		default: false,
	}),
	local_check: checkedByPath().meta({
		description:
			"http, tcp, tls: looks at the local service, and no visitor comes while it is down. With a path (http): asks for it.",
		default: "off",
	}),
	basic_auth: passwords()
		.optional()
		.describe(
			"http: visitors need one of these names and its password, as `sluice password NAME` prints it. Default: nobody is asked.",
		),
	allow: z
		.array(
			parsed("a block of addresses such as 10.0.0.0/8", (text) => formatCidr(parseCidr(text)), {
				examples: ["10.0.0.0/8"],
			}),
			{ error: expected("a list of blocks of addresses such as [10.0.0.0/8]", inList) },
		)
		.min(1)
		.max(256)
		.optional()
		.describe("Only visitors from these blocks of addresses. Default: all."),
	connections: whole(1, 1_000_000)
		.optional()
		.describe(
			"Visitors at a time: less than the gateway's file allows, never more. Default: what the gateway's file says.",
		),
	bytes_per_second: size("1MiB", 1_024)
		.optional()
		.describe(
			"For all visitors together, both ways: less than the gateway's file allows, never more. Default: what the gateway's file says.",
		),
});

export const agentSchema = section({
	gateway: parsed("the gateway's address, such as gw.example.com:4443", parseGateway, {
		examples: ["gw.example.com:4443"],
	}).describe("The gateway's `tunnels.listen`."),
	token_file: filePath("a file that holds the agent's token", "laptop.token")
		.optional()
		.describe(
			"Holds the agent's token; a path is relative to this file. Default: the token is in SLUICE_TOKEN.",
		),
	ca: filePath("a file of authorities (PEM)", "gateway-ca.pem")
		.optional()
		.describe(
			"Authorities (PEM) that the gateway's certificate is believed from. Default: those that Node carries.",
		),
	fingerprint: parsed("the SHA-256 of the gateway's certificate", parseFingerprint, {
		examples: ["AB:CD:…"],
	})
		.optional()
		.describe(
			"The SHA-256 of the gateway's certificate, whoever has issued it and for whatever name. With ca both must hold.",
		),
	insecure: yesNo()
		.optional()
		.meta({ description: "No TLS, to a gateway on this machine only, to try things out.", default: false }),
	drain: optionalDuration(
		AGENT_DEFAULTS.drainMs,
		"How long running visitors have when the agent is asked to end.",
	),
	retry_max: optionalDuration(AGENT_DEFAULTS.retryMaxMs, "The longest pause before it connects again."),
	admin: parsed("an address such as 127.0.0.1:9191", parseAdmin, { examples: ["127.0.0.1:9191"] })
		.optional()
		.describe(
			"Serves /healthz (200 while the agent is logged in, else 503) and /metrics there. Needs a restart.",
		),
	node_streams: yesNo()
		.optional()
		.meta({ description: "Moves bytes by Node's streams, also where a reactor could.", default: false }),
	inspect: z
		.union([whole(0, 65_535), parsed(INSPECT, parseInspect, { examples: ["127.0.0.1:4040"] })], {
			error: expected(INSPECT),
		})
		.transform((value) => (typeof value === "number" ? parseInspect(String(value)) : value))
		.optional()
		.describe(
			"http: shows requests and answers on a page of this machine, at this port or address; 0 is a free port. Needs a restart.",
		),
	inspect_requests: whole(1, 1_000).optional().meta({
		description: "How many of them the inspector keeps. Needs a restart.",
		default: AGENT_DEFAULTS.inspectRequests,
	}),
	tunnels: z
		.array(tunnelSchema, { error: expected('a list of tunnels, such as "- { name: app, http: 3000 }"') })
		.min(1, { error: "at least one tunnel stands here: - { name: app, http: 3000 }" })
		.max(1_000)
		.describe("What the agent opens; exactly one of http, tcp, tls, udp and quic says what each is."),
});

export type Written = z.output<typeof agentSchema>;
type WrittenTunnel = Written["tunnels"][number];

/** Keys of the file, of its tunnels, and of how their services are checked. */
export const AGENT_KEYS: readonly string[] = Object.keys(agentSchema.shape);
export const TUNNEL_KEYS: readonly string[] = Object.keys(tunnelSchema.shape);
export const CHECK_KEYS: readonly string[] = Object.keys(health.shape);

export function isKind(text: string): text is TunnelKind {
	return TUNNEL_KINDS.some((kind) => kind === text);
}

/** What only several values together say. */
export function checkWritten(written: Written, problem: (path: Path, message: string) => void): void {
	const { gateway, insecure, ca, fingerprint, tunnels, admin, inspect, inspect_requests } = written;
	if (insecure === true) {
		if (!isLoopback(gateway.host))
			problem(
				["insecure"],
				`without TLS only a gateway on this machine is spoken to, and ${gateway.host} is none`,
			);
		if (ca !== undefined || fingerprint !== undefined)
			problem(
				["insecure"],
				"without TLS there is no certificate to check: remove ca and fingerprint, or this",
			);
	}
	if (admin?.kind === "unix") problem(["admin"], "an address such as 127.0.0.1:9191 stands here");
	if (inspect !== undefined && !(inspect.kind === "ip" && isLoopback(inspect.host)))
		problem(
			["inspect"],
			"the inspector shows whole requests, and is for this machine only: write 4040 or 127.0.0.1:4040",
		);
	if (inspect !== undefined && !tunnels.some(({ http }) => http !== undefined))
		problem(["inspect"], "requests of http tunnels are inspected, and there is none");
	if (inspect === undefined && inspect_requests !== undefined)
		problem(["inspect_requests"], "it says how many requests the inspector keeps: set inspect, too");
	const seen = new Map<string, number>();
	for (const [index, tunnel] of tunnels.entries()) {
		const place = ["tunnels", index];
		const kinds = TUNNEL_KINDS.filter((kind) => tunnel[kind] !== undefined);
		const [kind] = kinds;
		if (kind === undefined || kinds.length > 1) {
			problem(
				place,
				"exactly one of http, tcp, tls, udp and quic says what the tunnel is, and where it ends: http: 3000",
			);
			continue;
		}
		checkTunnel(tunnel, kind, (key, message) => problem([...place, key], message));
		const name = nameWithTransport({ kind, name: tunnel.name });
		const other = seen.get(name);
		if (other !== undefined)
			problem([...place, "name"], `the tunnel ${other + 1} has the name "${name}", too`);
		seen.set(name, index);
	}
}

function checkTunnel(
	tunnel: WrittenTunnel,
	kind: TunnelKind,
	problem: (key: string, message: string) => void,
): void {
	const only = (key: keyof WrittenTunnel, kinds: readonly TunnelKind[], why: string): void => {
		if (tunnel[key] !== undefined && !kinds.includes(kind))
			problem(key, `this is for ${inWords(kinds)} tunnels: ${why}`);
	};
	only("port", ["tcp", "udp"], "visitors of others come by name");
	const plain = isEndToEnd(kind) ? `lines of ${kind} tunnels may always be plain` : "requests need TLS";
	only("plain", ["tcp", "udp"], plain);
	only("basic_auth", ["http"], "visitors of others cannot be asked");
	only("host_header", ["http"], "of others no byte is changed");
	only("proxy_protocol", ["tcp", "tls", "udp", "quic"], "requests say who asks in X-Forwarded-For");
	checkLocalCheck(tunnel.local_check, kind, (message) => problem("local_check", message));
	checkDatagramTarget(tunnel[kind], kind, (message) => problem(kind, message));
	if (tunnel[kind]?.tls === true && !carriesDatagrams(kind) && kind !== "http")
		problem(kind, "only an http tunnel speaks TLS with its local service: of others no byte is changed");
}

function inWords(kinds: readonly TunnelKind[]): string {
	return kinds.length < 2 ? kinds.join("") : `${kinds.slice(0, -1).join(", ")} and ${kinds.at(-1)}`;
}

function checkDatagramTarget(
	target: LocalTarget | undefined,
	kind: TunnelKind,
	problem: (message: string) => void,
): void {
	if (target === undefined || !carriesDatagrams(kind)) return;
	if ("path" in target.where)
		problem(`datagrams go to a port: write 53 or 127.0.0.1:53, not "${target.text}"`);
	else if (target.tls)
		problem(
			`datagrams are passed on as they come: write ${target.where.port} or HOST:PORT, without https://`,
		);
}

function checkLocalCheck(check: HealthFile, kind: TunnelKind, problem: (message: string) => void): void {
	if (carriesDatagrams(kind) && check !== undefined && check !== "off") {
		problem(
			`whether a service takes datagrams is told by its answers alone, and each expects other words: a ${kind} tunnel has no check; remove it`,
		);
		return;
	}
	if (typeof check !== "object") return;
	const { interval = defaults.health.intervalMs, timeout = 0 } = check;
	if (timeout > interval)
		problem(`timeout must not be longer than interval (${formatDuration(interval)}): checks would overlap`);
	const first = (["path", "status", "host"] as const).find((key) => check[key] !== undefined);
	if (first === undefined) return;
	if (kind !== "http")
		problem(
			`"${first}" is of HTTP checks, and this is a ${kind} tunnel: remove it to check that the service accepts`,
		);
	else if (first !== "path")
		problem(`"${first}" does nothing without a path to ask for: add path: /healthz, or remove "${first}"`);
}

/** What the check's requests say as Host, where the file names none: the same as a visitor who asks the service itself. */
function hostOf({ where, tls }: LocalTarget): string {
	if ("path" in where) return "localhost";
	const host = bracketed(where.host);
	return where.port === (tls ? 443 : 80) ? host : `${host}:${where.port}`;
}

export function tunnelSettings(tunnel: WrittenTunnel): TunnelSettings {
	const kind = TUNNEL_KINDS.find((each) => tunnel[each] !== undefined);
	const target = kind === undefined ? undefined : tunnel[kind];
	if (kind === undefined || target === undefined) throw new Error("a tunnel that was not checked");
	const { name, port, plain, host_header, proxy_protocol, allow, connections, bytes_per_second } = tunnel;
	const localCheck = resolveHealth(tunnel.local_check, host_header ?? hostOf(target));
	return {
		...{ kind, name, local: target },
		...(port === undefined ? {} : { port }),
		...(plain === undefined ? {} : { plain }),
		...(host_header === undefined ? {} : { hostHeader: host_header }),
		...(proxy_protocol === undefined ? {} : { proxyProtocol: proxy_protocol }),
		...(localCheck === null ? {} : { localCheck }),
		...(tunnel.basic_auth === undefined ? {} : { basicAuth: tunnel.basic_auth }),
		...(allow === undefined ? {} : { allow }),
		...(connections === undefined ? {} : { connections }),
		...(bytes_per_second === undefined ? {} : { bytesPerSecond: bytes_per_second }),
	};
}
