/** `tunnels`: where agents connect to, and who may offer what. What goes together is in `tunnel-rules.ts`. */

import { z } from "zod";
import { parseBind } from "./address.js";
import { CONNECTIONS_MAX, REQUESTS_MAX } from "./bounds.js";
import * as defaults from "./defaults.js";
import { parsePeerName } from "./names.js";
import { passwords } from "./schema-passwords.js";
import { tunnelTimeouts } from "./schema-timeouts.js";
import {
	byteRate,
	certificateFiles,
	choice,
	dashed,
	duration,
	expected,
	inList,
	onOrOff,
	optionalDuration,
	parsed,
	section,
	whole,
	yesNo,
} from "./schema-values.js";
import {
	AGENT_ID_PATTERN,
	PORTS_PATTERN,
	parsePorts,
	parsePublicKey,
	parseTunnelDomain,
	parseTunnelName,
} from "./tunnel-values.js";
import { formatDuration } from "./units.js";

/** Each has a control connection, and a row in what the API tells. */
const AGENTS_MAX = 4_096;
/** A hello of a visitor is compared with none of them, but each `open` with all. */
const NAMES_MAX = 1_024;
/** Each is a descriptor here and at the agent. */
const LINES_MAX = 4_096;

const ports = () =>
	z.union(
		[
			whole(1, 65_535).transform((port) => ({ from: port, to: port })),
			parsed("ports such as 20000-20099", parsePorts, { pattern: PORTS_PATTERN, examples: ["20000-20099"] }),
		],
		{ error: expected("ports such as 20000-20099") },
	);

const publicKey = () =>
	parsed("a public key as sluice token new prints it", parsePublicKey, {
		examples: ["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"],
	});

const agent = section({
	id: z
		.string({ error: expected("a name such as laptop") })
		.regex(AGENT_ID_PATTERN, {
			error:
				'expected a name such as laptop: up to 64 letters, digits, ".", "-" and "_", beginning with a letter or a digit',
		})
		.meta({ examples: ["laptop"] })
		.describe("As the agent logs in, and as log and metrics call it."),
	public_key: publicKey()
		.optional()
		.describe("The agent's key, as `sluice token new` prints it. The gateway never holds a secret."),
	public_keys: z
		.array(publicKey(), { error: expected("a list of one or two public keys", inList) })
		.min(1, { error: "without a key nobody can log in as this agent: write one, or remove the agent" })
		.max(2, { error: "two keys are enough to rotate them: remove those that are no longer used" })
		.optional()
		.describe(
			"Instead of public_key: one or two, while they are rotated. Who logged in with one that is gone is cut.",
		),
	names: z
		.array(parsed("a name such as app or dev-*", parseTunnelName, { examples: ["app", "dev-*"] }), {
			error: expected("a list of names such as [app, dev-*]", inList),
		})
		.max(NAMES_MAX, { error: `more than ${NAMES_MAX} names: write a pattern such as dev-*` })
		.optional()
		.describe(
			"Names that it may open, each one label; a star at the end stands for the rest. Without any, none but those of domains.",
		),
	domains: z
		.array(
			parsed("a host name such as shop.example.org", parseTunnelDomain, {
				examples: ["shop.example.org", "*.example.org"],
			}),
			{ error: expected("a list of host names such as [shop.example.org]", inList) },
		)
		.max(NAMES_MAX, { error: `more than ${NAMES_MAX} names: write a wildcard such as "*.example.org"` })
		.optional()
		.describe("Host names outside tunnels.domain that it may open with tunnels of http, tls and quic."),
	ports: ports()
		.optional()
		.describe(
			"Ports that are its own, for tunnels of tcp and udp; out of tunnels.ports. Default: those that are no other agent's.",
		),
	shared: yesNo().optional().meta({
		description:
			"Several agents may be logged in as this one at once. Visitors of a name are shared among those that have opened it.",
		default: false,
	}),
	connections: whole(1, CONNECTIONS_MAX)
		.optional()
		.describe(
			"Visitors that each of its tunnels may have at a time. Default: no limit; 1000 for udp and quic, where addresses can be forged.",
		),
	bytes_per_second: byteRate(
		"Bytes that may pass through each of its tunnels in a second, both ways together.",
	),
	basic_auth: passwords()
		.optional()
		.describe(
			"Visitors of its http tunnels are asked for one of these names and its password. Such an agent can open no tls or quic tunnel, where nobody can be asked.",
		),
});

/** A heartbeat says that somebody lives, and each wakes a phone's radio. */
const HEARTBEAT_MIN_MS = 100;

const heartbeat = (defaultMs: number, description: string) =>
	duration()
		.refine((ms) => ms >= HEARTBEAT_MIN_MS, {
			error: `expected at least ${formatDuration(HEARTBEAT_MIN_MS)}`,
		})
		.optional()
		.meta({ description, default: formatDuration(defaultMs) });

export const tunnels = section({
	listen: parsed("an address such as 0.0.0.0:4443", parseBind, {
		examples: ["0.0.0.0:4443", "[::]:4443"],
	}).describe("Where agents connect to. Ports of tcp and udp tunnels are bound on the same address."),
	tls: certificateFiles("gw")
		.optional()
		.describe("TLS 1.3 with this certificate. Needed, but for trying out on loopback."),
	insecure: yesNo().optional().meta({
		description: "Without tls, in the open: on loopback alone, for trying out.",
		default: false,
	}),
	domain: parsed("a domain such as example.com", parsePeerName, { examples: ["example.com"] })
		.optional()
		.describe(
			"What names of tunnels stand under: app is reached at app.example.com. Without it, only tcp and udp tunnels and the domains of agents.",
		),
	ports: ports().optional().describe("Ports that tcp and udp tunnels are given. Without it there are none."),
	lines: whole(1, LINES_MAX).optional().meta({
		description: "Lines that each tunnel has parked, opened in advance by its agent.",
		default: defaults.tunnels.lines,
	}),
	lines_max: whole(1, LINES_MAX).optional().meta({
		description:
			"Lines that are parked at most when many visitors come at once, and asked for at a time. It shrinks slowly, back to lines.",
		default: defaults.tunnels.linesMax,
	}),
	lines_reserved: whole(0, LINES_MAX - 1)
		.optional()
		.meta({
			description:
				"Of the lines that are parked for an http tunnel, so many are left for other requests: a WebSocket, which keeps its line, takes one only while there are more.",
			default: defaults.tunnels.linesReserved,
		}),
	age: optionalDuration(
		defaults.tunnels.ageMs,
		"How old a parked line may grow (each up to a quarter less). Its replacement comes first, and it is never ended under a visitor.",
	),
	requests: whole(1, REQUESTS_MAX).optional().meta({
		description: "Requests that a line of an http tunnel serves.",
		default: defaults.tunnels.requests,
	}),
	heartbeat: heartbeat(
		defaults.tunnels.heartbeatMs,
		"Both sides send a ping when they have said nothing for so long.",
	),
	dead_after: heartbeat(
		defaults.tunnels.deadAfterMs,
		"An agent that has said nothing for so long is gone: all that it held is given back. Longer than heartbeat.",
	),
	canary: optionalDuration(
		defaults.tunnels.canaryMs,
		"How often a few bytes go through a parked line of each tunnel to its agent and back: whether the way works, and how long it takes.",
	),
	plain_lines: onOrOff().optional().meta({
		description:
			"Lines without TLS for what is encrypted end to end: tunnels of tls and quic, and those of tcp and udp whose agent says so. off: all lines are TLS.",
		default: "on",
	}),
	timeouts: tunnelTimeouts,
	superseded: choice(["finish", "cut"], { close: "write cut", keep: "write finish" }).optional().meta({
		description:
			"What becomes of the visitors of an agent that another login of the same id replaces: they finish, or are cut.",
		default: defaults.tunnels.superseded,
	}),
	agents: z
		.array(agent, { error: expected("a list such as [{ id: laptop, public_key: …, names: [app] }]", dashed) })
		.max(AGENTS_MAX, { error: `more than ${AGENTS_MAX} agents` })
		.describe("Who may log in, and what each may offer. One that is taken out is cut at once."),
});
