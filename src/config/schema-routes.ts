/** `routes` of a listener: what each takes, and what it does with it. */

import { z } from "zod";
import { CONNECTIONS_MAX, RATE_MAX } from "./bounds.js";
import * as defaults from "./defaults.js";
import { FIELD_NAME_PATTERN, FIELD_VALUE_PATTERN, whyReserved } from "./fields.js";
import { CHANNEL_NAME_PATTERN, parseChannelName } from "./hub-values.js";
import { parseHostPattern, parseServerName, parseSubprotocol, SUBPROTOCOL_PATTERN } from "./names.js";
import { passwords } from "./schema-passwords.js";
import { routeTimeouts } from "./schema-timeouts.js";
import {
	byteRate,
	CIDR,
	choice,
	choiceMeant,
	cidr,
	expected,
	inList,
	optionalNumber,
	parsed,
	section,
	sizeOrOff,
	whole,
} from "./schema-values.js";

/** Each route has a row for each combination of its values. */
const VALUES_MAX = 1_024;

/** One value, or a list of them of which one must fit. `what`: as in messages. */
const oneOrMore = <Value extends z.ZodType>(
	what: string,
	value: Value,
	hint: (input: unknown) => string = () => "",
) =>
	z.union(
		[
			value,
			z
				.array(value)
				.min(1, { error: "an empty list fits nothing: remove the key, or write what fits" })
				.max(VALUES_MAX, {
					error: `more than ${VALUES_MAX} values in one condition: write several routes`,
				}),
		],
		{ error: expected(`${what}, or a list`, hint) },
	);

const fieldName = () =>
	z
		.string({ error: expected("the name of a field such as X-Robots-Tag") })
		.regex(FIELD_NAME_PATTERN, {
			error: "no name that a field can have: use letters, digits and hyphens (RFC 9110, 5.1)",
		})
		.superRefine((name, context) => {
			const why = whyReserved(name);
			if (why !== null) context.addIssue({ code: "custom", message: why });
		});

const fieldValue = () =>
	z
		.string({
			error: expected("a text", (input) =>
				typeof input === "number" || typeof input === "boolean" ? ": put it in quotes" : "",
			),
		})
		.regex(FIELD_VALUE_PATTERN, {
			error:
				"no value that a field can have: use visible ASCII on one line, and spaces only inside (RFC 9110, 5.5)",
		});

const fieldChanges = (of: string) =>
	section({
		set: z
			.record(fieldName(), fieldValue(), { error: expected("a mapping such as { X-Frame-Options: DENY }") })
			.optional()
			.describe(`Fields that ${of} gets, each once and with this value, whatever it had before.`),
		remove: z
			.array(fieldName(), { error: expected("a list such as [X-Powered-By]", inList) })
			.optional()
			.describe(`Fields that ${of} loses.`),
	});

/** What routers of other programs take for a pattern, and is none here; null: it is a path. */
function patternMeant(path: string): string | null {
	if (!path.startsWith("/")) return null;
	const [before = ""] = path.split(/\.?\*|[^/]*\{[^/]*\}/, 1);
	if (before === path) return null;
	const prefix = before.endsWith("/") ? before : `${before}/`;
	return `a path has no patterns, "*" and "{ }" stand for themselves: write ${prefix} for all that begin so`;
}

const TLS_MEANT = "its first bytes are TLS; write tls, or sni: NAME";
const HTTP_MEANT = "a WebSocket and every request of HTTP/1 begin as http; write that";
const H2_MEANT = "inside TLS write alpn: h2, in the open h2c";
const QUIC_MEANT = "write quic, on a listener such as 0.0.0.0:443/udp";
const DTLS_MEANT = "versions are not told apart; write dtls";
const UDP_MEANT = "connections and datagrams have listeners of their own; write listen: 0.0.0.0:443/udp";
const OTHER_MEANT = "it is none of the protocols that are told apart here; write other";
const EVERY_MEANT =
	"remove it to take every protocol, or write any for clients that wait for the server, too";
const ANY_MEANT = "its server speaks first, and the client is silent; write any";

/** What fits the buffer in which answers are written, beside the head. */
const BODY_MAX = 8_192;
const REDIRECT = "https, or an address such as https://www.example.com";

/** What goes together is in `request-rules.ts`. */
const fixedAnswer = section({
	redirect: z
		.string({ error: expected(REDIRECT) })
		.regex(/^(https|https?:\/\/[A-Za-z0-9._~:[\]-]+(\/[\x21-\x7e]*)?)$/, { error: expected(REDIRECT) })
		.meta({ examples: ["https", "https://www.example.com", "https://www.example.com/moved"] })
		.optional()
		.describe(
			"Where the client is sent. `https`: the same host and path there; an address without a path: the same path there; otherwise exactly there.",
		),
	status: whole(200, 599)
		.optional()
		.describe(
			"What requests are answered with, such as 503, 404 or 204. With redirect 301 or 308 (default): for good; 302 or 307: for now; 303: to be asked for by GET.",
		),
	body: z
		.string({ error: expected("a text") })
		.refine((text) => Buffer.byteLength(text) <= BODY_MAX, {
			error: `longer than ${BODY_MAX} bytes: let a server say it`,
		})
		.optional()
		.describe("The text of the answer."),
	content_type: z
		.string({ error: expected("a media type such as text/html; charset=utf-8") })
		.regex(FIELD_VALUE_PATTERN, { error: expected("a media type such as text/html; charset=utf-8") })
		.optional()
		.meta({ description: "What the text is.", default: defaults.answerContentType }),
});

const PROTOCOLS = ["tls", "http", "ssh", "h2c", "quic", "dtls", "other", "any"] as const;
/** What else protocols are called, and what to write. */
const PROTOCOLS_MEANT: Readonly<Record<string, string>> = {
	...{ https: TLS_MEANT, ssl: TLS_MEANT, wss: TLS_MEANT },
	...{ ws: HTTP_MEANT, websocket: HTTP_MEANT, http1: HTTP_MEANT, "http/1.1": HTTP_MEANT },
	...{ http2: H2_MEANT, h2: H2_MEANT, grpc: H2_MEANT },
	...{ tcp: EVERY_MEANT },
	...{
		smtp: ANY_MEANT,
		imap: ANY_MEANT,
		pop3: ANY_MEANT,
		mysql: ANY_MEANT,
		ftp: ANY_MEANT,
		vnc: ANY_MEANT,
	},
	...{ "http/2": H2_MEANT, "http/2.0": H2_MEANT, "http1.1": HTTP_MEANT, websockets: HTTP_MEANT },
	...{ smtps: TLS_MEANT, imaps: TLS_MEANT, pop3s: TLS_MEANT, ldaps: TLS_MEANT, mqtts: TLS_MEANT },
	...{ "tls1.2": TLS_MEANT, "tls1.3": TLS_MEANT, sftp: "it goes through SSH; write ssh" },
	...{ scp: "it goes through SSH; write ssh", h3: QUIC_MEANT, "http/3": QUIC_MEANT, http3: QUIC_MEANT },
	...{
		webrtc: "it begins with STUN; write other",
		doq: QUIC_MEANT,
		"dtls1.2": DTLS_MEANT,
		"dtls1.3": DTLS_MEANT,
		udp: UDP_MEANT,
		dns: OTHER_MEANT,
		mqtt: OTHER_MEANT,
		amqp: OTHER_MEANT,
	},
	...{ postgres: OTHER_MEANT, postgresql: OTHER_MEANT, redis: OTHER_MEANT, rdp: OTHER_MEANT },
	...{
		ldap: OTHER_MEANT,
		mongodb: OTHER_MEANT,
		socks: OTHER_MEANT,
		unknown: OTHER_MEANT,
		raw: OTHER_MEANT,
	},
	...{ "*": EVERY_MEANT, all: EVERY_MEANT, none: EVERY_MEANT, "": EVERY_MEANT },
};

const SERVER_NAME = "a server name such as git.example.com";
const HOST = "a host such as www.example.com";
const ALPN = "a protocol name such as h2";
const PROTOCOL = "one of tls, http, ssh, h2c, quic, dtls, other, any";
const PATH = "a path such as /api/";
const SUBPROTOCOL = "a subprotocol such as mqtt";

export const route = section({
	sni: oneOrMore(
		SERVER_NAME,
		parsed(SERVER_NAME, parseServerName, { examples: ["git.example.com", "*.apps.example.com"] }),
	)
		.optional()
		.describe(
			"TLS, QUIC and DTLS: the name in the client's hello, exact or `*.suffix`. An absent key matches any name, and none.",
		),
	host: oneOrMore(
		HOST,
		parsed(HOST, parseHostPattern, { examples: ["www.example.com", "*.apps.example.com"] }),
	)
		.optional()
		.describe(
			"HTTP: the Host header of the connection's first request, without its port; exact or `*.suffix`.",
		),
	alpn: oneOrMore(
		ALPN,
		z
			.string({ error: expected(ALPN) })
			// RFC 7301: a length byte, and never empty.
			.min(1, { error: expected(ALPN) })
			.max(255, { error: "an ALPN name has at most 255 bytes (RFC 7301)" })
			.regex(/^[\x20-\x7e]*$/, { error: expected("a protocol name in ASCII such as h2") })
			.meta({ examples: ["h2", "http/1.1"] }),
	)
		.optional()
		.describe("TLS, QUIC and DTLS: a protocol that the client offers in its hello."),
	protocol: oneOrMore(PROTOCOL, choice(PROTOCOLS, PROTOCOLS_MEANT), (input) =>
		choiceMeant(input, PROTOCOLS, PROTOCOLS_MEANT),
	)
		.optional()
		.describe(
			"What the first bytes are; on UDP, the first datagram: quic, dtls or other. `other`: none of the known ones, or they do not tell, and the client says nothing more for timeouts.silence. `any`: whatever they are, and also a client that says nothing.",
		),
	path: oneOrMore(
		PATH,
		z
			.string({ error: expected(PATH) })
			.regex(/^\/[\x21\x24-\x3b\x3d\x40-\x5f\x61-\x7e]*$/, {
				error: expected('a path such as /api/, beginning with a slash, without "?" and "#"', (input) =>
					/^[~^*]/.test(String(input)) ? ": a path has no patterns; /api/ takes all that begin so" : "",
				),
			})
			.superRefine((path, context) => {
				const message = patternMeant(path);
				if (message !== null) context.addIssue({ code: "custom", message });
			})
			.meta({ examples: ["/api/", "/healthz"] }),
	)
		.optional()
		.describe(
			"HTTP: the path of a request, in the form that `paths` of the listener says. `/api/` takes all that begin so, `/healthz` only itself. Each request of a connection is routed on its own.",
		),
	subprotocol: oneOrMore(
		SUBPROTOCOL,
		parsed(SUBPROTOCOL, parseSubprotocol, {
			pattern: SUBPROTOCOL_PATTERN.source,
			examples: ["mqtt", "graphql-transport-ws"],
		}),
	)
		.optional()
		.describe(
			"HTTP: the request opens a WebSocket and offers this subprotocol (Sec-WebSocket-Protocol, RFC 6455), whatever the case. Each request of a connection is routed on its own.",
		),
	source: oneOrMore(CIDR, cidr())
		.optional()
		.describe("The client's address (with proxy_protocol: the one in the header) lies in this block."),
	to: z
		.union([z.string(), fixedAnswer], {
			error: expected("the name of an upstream, reject, { redirect: https } or { status: 503 }", (input) =>
				typeof input === "number"
					? `: put it in quotes, or write { status: ${input} }`
					: Array.isArray(input)
						? ": one stands here; an upstream may have several addresses"
						: "",
			),
		})
		.describe(
			"The upstream that takes the connection; `tunnels`, `hub`: the section of that name; `reject`: it is closed at once as rejected; or what its requests are answered with here.",
		),
	channel: parsed("a channel such as devices", parseChannelName, {
		pattern: CHANNEL_NAME_PATTERN,
		examples: ["devices"],
	})
		.optional()
		.describe(
			"With `to: hub`, where no requests are read: connections are subscribers of this channel. Without it, each says which it wants.",
		),
	timeouts: routeTimeouts,
	connections: whole(1, CONNECTIONS_MAX)
		.optional()
		.describe(
			"Sessions at a time that it takes; of requests, those under way. Further ones are refused as limit_connections: by a TLS alert, requests with 503. Default: as many as its listener.",
		),
	sessions_per_second: optionalNumber(
		RATE_MAX,
		"Connections that it takes as a whole, per second; as many at once after a quiet second. Further ones are refused as limit_rate.",
	),
	requests_per_second: optionalNumber(
		RATE_MAX,
		"HTTP: requests that it takes, per second; as many at once after a quiet second. Further ones are answered with 429, as limit_rate.",
	),
	bytes_per_second: byteRate(
		"Bytes that pass in a second over all its sessions, both ways together; see limits.bytes_per_second.",
	),
	bytes_per_second_per_ip: byteRate(
		"The same for one client address, instead of what its listener says.",
		"what its listener says",
	),
	bytes_per_second_per_session: byteRate(
		"The same for each session, instead of what its listener says.",
		"what its listener says",
	),
	basic_auth: passwords()
		.optional()
		.describe(
			"HTTP: requests are asked for one of these names and its password; without, they are answered with 401, as unauthorized. What they say of it does not go on.",
		),
	request_headers: fieldChanges("a request")
		.optional()
		.describe("With an upstream that has http: fields of requests on their way to it."),
	body_bytes_per_second: sizeOrOff("1KiB").describe(
		"With an upstream that has http: how fast a request's body must come, instead of limits.body_bytes_per_second.",
	),
	request_body_bytes: sizeOrOff("10MiB").describe(
		"With an upstream that has http: content that a request may have, instead of limits.request_body_bytes.",
	),
	response_headers: fieldChanges("a response")
		.optional()
		.describe("With an upstream that has http: fields of its responses on their way to the client."),
}).describe("Takes a connection when all its conditions hold. Without conditions: every connection.");
