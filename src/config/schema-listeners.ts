/** `listeners`: addresses, certificates and routes. */

import { z } from "zod";
import { parseCidr, parseListen } from "./address.js";
import { CONNECTIONS_MAX, RATE_MAX } from "./bounds.js";
import * as defaults from "./defaults.js";
import { FIELD_NAME_PATTERN, FIELD_VALUE_PATTERN, whyReserved } from "./fields.js";
import {
	parseCertificateName,
	parseHostPattern,
	parseServerName,
	parseSubprotocol,
	SUBPROTOCOL_PATTERN,
} from "./names.js";
import { passwords } from "./schema-passwords.js";
import { listenerTimeouts, routeTimeouts } from "./schema-timeouts.js";
import {
	byteRate,
	choice,
	choiceMeant,
	dashed,
	expected,
	filePath,
	inList,
	offOr,
	onOff,
	optionalNumber,
	parsed,
	section,
	sizeOrOff,
	whole,
} from "./schema-values.js";
import { offWord, onWord } from "./switches.js";

/** The accept queue's length was a 16-bit number until Linux 4.4, and `somaxconn` caps it anyway. */
const BACKLOG_MAX = 65_535;
/** Each route has a row for each combination of its values. */
const VALUES_MAX = 1_024;
/** One request of a million. Written so, because numbers below it print as 1e-7. */
const SHARE_MIN = 0.000001;

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

const CIDR = "a block of addresses such as 10.0.0.0/8";
const cidr = () => parsed(CIDR, parseCidr, { examples: ["10.0.0.0/8", "fd00::/8"] });

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
const UDP_MEANT = "UDP is not routed by this version; remove the route";
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

const PROTOCOLS = ["tls", "http", "ssh", "h2c", "other", "any"] as const;
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
	...{ scp: "it goes through SSH; write ssh", h3: UDP_MEANT, "http/3": UDP_MEANT, http3: UDP_MEANT },
	...{ quic: UDP_MEANT, udp: UDP_MEANT, dns: OTHER_MEANT, mqtt: OTHER_MEANT, amqp: OTHER_MEANT },
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
const PROTOCOL = "one of tls, http, ssh, h2c, other, any";
const PATH = "a path such as /api/";
const SUBPROTOCOL = "a subprotocol such as mqtt";

const route = section({
	sni: oneOrMore(
		SERVER_NAME,
		parsed(SERVER_NAME, parseServerName, { examples: ["git.example.com", "*.apps.example.com"] }),
	)
		.optional()
		.describe(
			"TLS: the name in the client's hello, exact or `*.suffix`. An absent key matches any name, and none.",
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
		.describe("TLS: a protocol that the client offers in its hello."),
	protocol: oneOrMore(PROTOCOL, choice(PROTOCOLS, PROTOCOLS_MEANT), (input) =>
		choiceMeant(input, PROTOCOLS, PROTOCOLS_MEANT),
	)
		.optional()
		.describe(
			"What the first bytes are. `other`: none of the known ones, or they do not tell, and the client says nothing more for timeouts.silence. `any`: whatever they are, and also a client that says nothing.",
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
			"The upstream that takes the connection; `reject`: it is closed at once as rejected; or what its requests are answered with here.",
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
	bytes_per_second_per_ip: byteRate("The same for one client address, instead of what its listener says."),
	bytes_per_second_per_session: byteRate("The same for each session, instead of what its listener says."),
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

const SHARE_EXPECTED = `off, all, or a share of the requests from ${SHARE_MIN} to 1 such as 0.01`;

function shareMeant(input: unknown): string {
	const switched = onOff(input).replace("write on", "write all");
	const [, percent] = /^([0-9.]+)\s*%$/.exec(String(input)) ?? [];
	const share = Number(percent) / 100;
	return share >= SHARE_MIN && share <= 1 ? `: write ${share}` : switched;
}

function share() {
	const error = expected(SHARE_EXPECTED, shareMeant);
	return z.number({ error }).min(SHARE_MIN, { error }).max(1, { error });
}
const alpnName = () =>
	z
		.string({ error: expected("a protocol name such as http/1.1") })
		// RFC 7301: a length byte, and never empty.
		.min(1, { error: expected("a protocol name such as http/1.1") })
		.max(255, { error: "an ALPN name has at most 255 bytes (RFC 7301)" })
		.regex(/^[\x20-\x7e]*$/, { error: expected("a protocol name in ASCII such as http/1.1") });

export const certificate = section({
	names: z
		.array(
			parsed("a name such as www.example.com", parseCertificateName, {
				examples: ["www.example.com", "*.example.com", "*"],
			}),
			{ error: expected("a list such as [www.example.com]", inList) },
		)
		.min(1, { error: 'an entry without names is shown to nobody: write at least one, or ["*"]' })
		.describe(
			"Names in the client's hello that are terminated with this certificate: exact, `*.example.com` for one label, or `*` for whatever no other entry names, and for clients that name nothing. TLS of all other names passes through.",
		),
	cert: filePath("the file of a certificate such as www.pem").describe(
		"The certificate and those of its issuers, in PEM, in that order. Read again when the file changes.",
	),
	key: filePath("the file of a private key such as www.key").describe(
		"Its private key, in PEM, without a passphrase.",
	),
	client_ca: filePath("the file of certificate authorities such as clients.pem")
		.optional()
		.describe(
			"Clients must show a certificate issued by one of these authorities, before any route is taken; others are refused as tls_failed.",
		),
	ocsp: filePath("the file of an OCSP response such as www.ocsp")
		.optional()
		.describe("An OCSP response in DER that clients who ask are given. Read again when the file changes."),
	alpn: z
		.array(alpnName(), { error: expected("a list such as [http/1.1]", inList) })
		.optional()
		.describe(
			"Protocols for ALPN, the preferred one first; a client that offers only others is refused. `[]`: what clients offer is ignored. Default: [http/1.1] where requests are read, else [].",
		),
});

export const listener = section({
	listen: parsed(
		"an address such as 0.0.0.0:443",
		(text) => ({ name: text, ...parseListen(text) }),
		{
			examples: ["0.0.0.0:443", "*:443", "127.0.0.1:8443", "[::1]:443"],
		},
		(input) => (typeof input === "number" ? `: write 0.0.0.0:${input}` : ""),
	).describe(
		"Address and port. `*:443` or `:443`: IPv4 and IPv6 at once. Port 0: the kernel picks a free one. Also the listener's name in log and metrics.",
	),
	backlog: whole(1, BACKLOG_MAX).optional().meta({
		description:
			"Length of the accept queue. When it is full the kernel drops new connections, and clients try again after a second. net.core.somaxconn caps it.",
		default: defaults.backlog,
	}),
	connections: whole(1, CONNECTIONS_MAX)
		.optional()
		.describe(
			"Sessions of this listener at a time; limits.when_full says what becomes of further clients. Default: as many as limits.connections.",
		),
	accepts_per_second: optionalNumber(
		RATE_MAX,
		"Connections taken per second, beside limits.accepts_per_second: a token bucket that holds one second's worth. limits.when_full says what becomes of further clients.",
	),
	requests_per_second: optionalNumber(
		RATE_MAX,
		"HTTP: requests taken per second, beside limits.requests_per_second. Those beyond it are answered with 429, as limit_rate.",
	),
	bytes_per_second: byteRate(
		"Bytes that pass in a second over all its sessions, both ways together; see limits.bytes_per_second.",
	),
	bytes_per_second_per_ip: byteRate(
		"The same for one client address, instead of limits.bytes_per_second_per_ip.",
	),
	bytes_per_second_per_session: byteRate(
		"The same for each session, instead of limits.bytes_per_second_per_session.",
	),
	timeouts: listenerTimeouts,
	proxy_protocol: offOr(["require"], {
		...{
			on: "write require",
			true: "write require",
			yes: "write require",
			optional: "write require: each connection must begin with a header, or none",
		},
		...{ v1: "write require, which takes both versions", v2: "write require, which takes both versions" },
	})
		.optional()
		.meta({
			description:
				"`require`: every connection must begin with a PROXY header (v1 or v2) and come from a trusted address; others are closed as proxy_header. `off`: the header is not looked for.",
			default: "off",
		}),
	trusted: z
		.array(cidr(), { error: expected("a list such as [10.0.0.0/8]", inList) })
		.min(1, { error: "an empty list trusts nobody: name the load balancer's addresses" })
		.optional()
		.describe("Blocks of addresses whose PROXY header is believed. Needed with proxy_protocol: require."),
	forwarded_trusted: z
		.array(cidr(), { error: expected("a list such as [10.0.0.0/8]", inList) })
		.optional()
		.describe(
			"HTTP: blocks of addresses whose word on who the client is (X-Forwarded-For, Forwarded and others) is believed and passed on. That of others is dropped.",
		),
	log_requests: z
		.union([offWord(), z.enum(["all"]), share()], { error: expected(SHARE_EXPECTED, shareMeant) })
		.optional()
		.meta({
			description:
				"HTTP: one line in the log per request. `off`, `all`, or a share: 0.01 is every hundredth of each reactor.",
			default: "off",
		}),
	paths: choice(["match", "strict", "normalize", "as_is"], {
		...{ raw: "write as_is", off: "write as_is", none: "write as_is" },
	})
		.optional()
		.meta({
			description:
				"HTTP: which spelling of a path counts. `match`: routes are matched against the normal form, and the request goes on as it was written. `strict`: what is not in normal form is answered 400. `normalize`: the normal form goes on. `as_is`: routes see what was written.",
			default: "match",
		}),
	tls: z
		.array(certificate, {
			error: expected("a list such as [{ names: [www.example.com], cert: www.pem, key: www.key }]", dashed),
		})
		.min(1, { error: "an empty list terminates nothing: remove the key" })
		.optional()
		.describe(
			"TLS that is terminated here, by name. What is inside is then routed: by its protocol, host and path, or by sni as before.",
		),
	via: z
		.union(
			[
				onWord(),
				offWord(),
				z
					.string()
					.regex(FIELD_NAME_PATTERN, { error: expected("on, off or a name such as edge-1, without spaces") }),
			],
			{ error: expected("on, off or a name such as edge-1", onOff) },
		)
		.optional()
		.meta({
			description:
				"HTTP: adds `Via` to requests and answers (RFC 9110, 7.6.3), by which loops and old versions are found. `on`: as sluice; otherwise the name to give.",
			default: "off",
		}),
	routes: z
		.array(route, { error: expected("a list of routes such as [{ to: web }]", dashed) })
		.min(1, { error: "a listener without routes takes no connection: write at least [{ to: web }]" })
		.describe("Tried from the top; the first match wins. What no route takes is closed as no_route."),
});
