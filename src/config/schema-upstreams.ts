/** `upstreams`: addresses, pools and checks. */

import { z } from "zod";
import { parseEndpoint, parseHttpUrl, parseSentHost } from "./address.js";
import { CONNECTIONS_MAX, REQUESTS_MAX, WEIGHT_MAX } from "./bounds.js";
import { parseServerId, parseUdpEndpoint } from "./datagram-values.js";
import * as defaults from "./defaults.js";
import { HUB, parsePeerName, REJECT, TUNNELS, UPSTREAM_NAME_PATTERN } from "./names.js";
import { checked, streak, upstreamHealth } from "./schema-health.js";
import { upstreamTimeouts } from "./schema-timeouts.js";
import {
	choice,
	expected,
	filePath,
	found,
	inList,
	offOr,
	onOff,
	onOrOff,
	optionalDuration,
	parsed,
	section,
	whole,
	yesNo,
} from "./schema-values.js";
import { offWord, onWord } from "./switches.js";

export const endpoint = () =>
	parsed("host:port such as 10.0.0.5:443", parseEndpoint, {
		examples: ["10.0.0.5:443", "app.internal:443", "unix:/run/app.sock"],
	});

const httpUrl = () =>
	parsed("a URL such as http://10.0.0.7:3000", parseHttpUrl, {
		examples: ["http://10.0.0.7:3000", "https://app.internal"],
	});

/** What may be said of an address, beside where it is. */
const share = {
	weight: whole(1, WEIGHT_MAX).optional().meta({
		description: "Its share of sessions, against the weights of the others.",
		default: 1,
	}),
	backup: yesNo().optional().meta({
		description:
			"It gets sessions only while no other address can: those are down, ejected, drained, tried in vain, or have all the sessions that they may.",
		default: false,
	}),
	max_connections: whole(1, CONNECTIONS_MAX)
		.optional()
		.describe(
			"Sessions that it has at most, over all reactors; then it is passed over, and when all are, the session is closed as upstream_down (a request: 503). Default: no limit.",
		),
};

/** An address with what is said of it. */
const sharedAddress = () => section({ address: endpoint().describe("Where it is."), ...share });

const address = () =>
	z.union([endpoint(), sharedAddress()], {
		error: expected(
			"host:port such as 10.0.0.5:443, or a mapping such as { address: 10.0.0.5:443, weight: 3 }",
		),
	});

/** A URL with what is said of it. */
const sharedUrl = () => section({ url: httpUrl().describe("Where it is."), ...share });

const url = () =>
	z.union([httpUrl(), sharedUrl()], {
		error: expected(
			"a URL such as http://10.0.0.7:3000, or a mapping such as { url: http://10.0.0.7:3000, weight: 3 }",
		),
	});

const udpEndpoint = () =>
	parsed("host:port such as 10.0.0.5:443", parseUdpEndpoint, {
		examples: ["10.0.0.5:443", "app.internal:443"],
	});

/** An address that takes datagrams, with what is said of it. */
const udpAddress = () =>
	section({
		address: udpEndpoint().describe("Where it is."),
		...share,
		server_id: parsed(
			'hex digits in quotes such as "0a01"',
			parseServerId,
			{ pattern: "^([0-9a-fA-F]{2}){1,15}$", examples: ["0a01"] },
			(input) => (typeof input === "number" ? ": put it in quotes" : ""),
		)
			.optional()
			.describe(
				"QUIC: the server ID that it writes into its connection IDs in the open (draft-ietf-quic-load-balancers), by which a client with another address is led to it. All addresses of the upstream have one, of the same length, or none has.",
			),
	});

const datagramAddress = () =>
	z.union([udpEndpoint(), udpAddress()], {
		error: expected(
			"host:port such as 10.0.0.5:443, or a mapping such as { address: 10.0.0.5:443, weight: 3 }",
		),
	});

const pool = section({
	connections: whole(1, CONNECTIONS_MAX).optional().meta({
		description: "Idle connections kept, per address and reactor.",
		default: defaults.pool.connections,
	}),
	idle: optionalDuration(defaults.pool.idleMs, "How long a connection is kept that nobody uses."),
	age: optionalDuration(
		defaults.pool.ageMs,
		"How old a connection may grow (each up to a quarter less). It is never ended during a request.",
	),
	requests: whole(1, REQUESTS_MAX).optional().meta({
		description: "Requests that a connection serves.",
		default: defaults.pool.requests,
	}),
});

const upstreamTls = section({
	verify: yesNo().optional().meta({
		description:
			"Whether the upstream's certificate must be valid for its name. `false` believes whoever answers.",
		default: true,
	}),
	server_name: parsed("a name such as api.internal", parsePeerName, { examples: ["api.internal"] })
		.optional()
		.describe(
			"What its certificate must be for, and what is asked for by SNI. Default: the host of each address.",
		),
	ca: filePath("the file of certificate authorities", "internal-ca.pem")
		.optional()
		.describe("Trusted instead of the public authorities that Node carries."),
	cert: filePath("the file of a certificate", "client.pem")
		.optional()
		.describe("A client certificate, shown to an upstream that asks. Needs key."),
	key: filePath("the file of a private key", "client.key").optional().describe("Its private key."),
});

/** Who answers more has sessions that end when they are idle. */
const RESPONSES_MAX = 65_535;

const ROUND_ROBIN = "write round_robin";
const LEAST = "write least_connections";
const SOURCE = "write source_hash";
const VERSIONS = "write the version that the upstream expects, v1 or v2";

export const upstream = section({
	http: z
		.union(
			[
				httpUrl(),
				sharedUrl(),
				z
					.array(url())
					.min(1, { error: "an upstream without addresses can take no request: write at least one" }),
			],
			{
				error: expected("one or more URLs such as http://10.0.0.7:3000"),
			},
		)
		.optional()
		.describe(
			"Instead of addresses: requests go there, each routed on its own, over connections that are kept. One URL, or a list; each alone, or as { url: …, weight: … }.",
		),
	tls: z
		.union([onWord(), offWord(), upstreamTls], {
			error: expected("on, off or a mapping such as { ca: internal-ca.pem }", onOff),
		})
		.optional()
		.meta({
			description: "TLS to the upstream. `on`, or a mapping; with https:// URLs it is on, and this says how.",
			default: "off",
		}),
	host: parsed("a host such as app.internal", parseSentHost, {
		examples: ["app.internal", "app.internal:8080"],
	})
		.optional()
		.describe(
			"With http: the Host that requests are sent with. Default: the one that the client asked for. X-Forwarded-Host and Forwarded say that one in any case.",
		),
	trailers: onOrOff().optional().meta({
		description:
			"With http: what becomes of fields behind a chunked request body. `off` drops them; `on` passes them, for upstreams that are known to read them. Trailers of answers always pass.",
		default: "off",
	}),
	pool: z
		.union([onWord(), offWord(), pool], {
			error: expected("on, off or a mapping such as { idle: 30s }", onOff),
		})
		.optional()
		.meta({
			description:
				"With http: the connections that are kept for further requests. `off`: each request gets a connection of its own, which is closed behind its answer.",
			default: "on",
		}),
	addresses: z
		.union(
			[
				endpoint(),
				sharedAddress(),
				z
					.array(address())
					.min(1, { error: "an upstream without addresses can take no connection: write at least one" }),
			],
			{ error: expected("one or more of host:port, such as [10.0.0.6:443, app.internal:443]") },
		)
		.optional()
		.describe(
			"Where connections go: one, or a list, each alone or as { address: …, weight: … }. A host name stands for all addresses it resolves to. An address that checks found down gets no session, an ejected one only when no other is left; without any, the session is closed as upstream_down.",
		),
	udp: z
		.union(
			[
				udpEndpoint(),
				udpAddress(),
				z
					.array(datagramAddress())
					.min(1, { error: "an upstream without addresses can take no datagram: write at least one" }),
			],
			{ error: expected("one or more of host:port, such as [10.0.0.6:443, app.internal:443]") },
		)
		.optional()
		.describe(
			"Instead of addresses: datagrams go there, out of listeners on UDP. One address, or a list, each alone or as { address: …, weight: … }.",
		),
	responses: whole(1, RESPONSES_MAX)
		.optional()
		.describe(
			"With udp: how many datagrams answer each datagram of a client, as the one answer of DNS. A session ends when all have come. Default: they do not end it.",
		),
	balance: choice(["round_robin", "least_connections", "source_hash"], {
		...{ rr: ROUND_ROBIN, random: ROUND_ROBIN, first: ROUND_ROBIN },
		...{ leastconn: LEAST, least_conn: LEAST, leastconns: LEAST, least_request: LEAST, least: LEAST },
		...{ ip_hash: SOURCE, iphash: SOURCE, source: SOURCE, source_ip: SOURCE, sticky: SOURCE, hash: SOURCE },
	})
		.optional()
		.meta({
			description:
				"Which address takes the next session: in turn, the one with the fewest sessions, or always the same one for a client's address.",
			default: defaults.balance,
		}),
	proxy_protocol: offOr(["v1", "v2"], {
		...{ on: VERSIONS, true: VERSIONS, yes: VERSIONS, require: VERSIONS, 1: "write v1", 2: "write v2" },
	})
		.optional()
		.meta({
			description:
				"PROXY header sent to the upstream before the client's bytes. The upstream must expect it; one that does not reads it as rubbish.",
			default: "off",
		}),
	proxy_tlvs: z
		.array(choice(["sni", "alpn", "tls"]), { error: expected("a list of sni, alpn and tls", inList) })
		.optional()
		.describe(
			"With addresses and proxy_protocol: v2, what the header says besides, where it is known. `sni`: the name in the client's hello. Where its TLS ends here, `alpn`: the protocol that was agreed on; `tls`: its version, and the common name of the client's certificate.",
		),
	timeouts: upstreamTimeouts,
	health: checked(
		upstreamHealth,
		"Active checks: a TCP connection that is opened and closed again, a request (`path`), or a datagram that is answered (`send`). `on`, or a mapping, for which `{}` is enough.",
	),
	eject: section({
		failures: streak(defaults.eject.failures, "Connect failures in a row until an address is passed over."),
		for: optionalDuration(defaults.eject.forMs, "How long it is passed over; then it gets sessions again."),
	})
		.optional()
		.describe("Passive checks, always on: what real sessions meet."),
	resolve: optionalDuration(
		defaults.resolveMs,
		"How often host names are resolved again. When resolving fails, the last addresses stay.",
	),
});

export const upstreamName = z
	.string()
	.regex(UPSTREAM_NAME_PATTERN, {
		error: ({ input }) =>
			`${found(input)} is no name for an upstream: use up to 128 letters, digits, "_", "-" and ".", beginning with none of "-" and "."`,
	})
	.refine((name) => name !== REJECT, {
		error: '"reject" is what routes use to close a connection: give the upstream another name',
	})
	.refine((name) => name !== TUNNELS, {
		error:
			'"tunnels" is where routes lead that go to agents: give the upstream another name, such as "tunnel-server", here and in its routes',
	})
	.refine((name) => name !== HUB, {
		error:
			'"hub" is where routes lead to the channels of the section "hub": give the upstream another name, such as "hub-server", here and in its routes',
	});
