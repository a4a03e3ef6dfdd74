/** `listeners`: addresses, certificates, and what holds for all that comes there. */

import { z } from "zod";
import { parseListen } from "./address.js";
import { CONNECTIONS_MAX, RATE_MAX } from "./bounds.js";
import * as defaults from "./defaults.js";
import { FIELD_NAME_PATTERN } from "./fields.js";
import { parseCertificateName } from "./names.js";
import { route } from "./schema-routes.js";
import { listenerTimeouts } from "./schema-timeouts.js";
import {
	byteRate,
	choice,
	cidr,
	dashed,
	expected,
	filePath,
	inList,
	offOr,
	onOff,
	optionalNumber,
	parsed,
	section,
	whole,
} from "./schema-values.js";
import { offWord, onWord } from "./switches.js";

/** The accept queue's length was a 16-bit number until Linux 4.4, and `somaxconn` caps it anyway. */
const BACKLOG_MAX = 65_535;
/** One request of a million. Written so, because numbers below it print as 1e-7. */
const SHARE_MIN = 0.000001;

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
	cert: filePath("the file of a certificate", "www.pem").describe(
		"The certificate and those of its issuers, in PEM, in that order. Read again when the file changes.",
	),
	key: filePath("the file of a private key", "www.key").describe(
		"Its private key, in PEM, without a passphrase.",
	),
	client_ca: filePath("the file of certificate authorities", "clients.pem")
		.optional()
		.describe(
			"Clients must show a certificate issued by one of these authorities, before any route is taken; others are refused as tls_failed.",
		),
	ocsp: filePath("the file of an OCSP response", "www.ocsp")
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
			examples: ["0.0.0.0:443", "*:443", "127.0.0.1:8443", "[::1]:443", "0.0.0.0:443/udp"],
		},
		(input) => (typeof input === "number" ? `: write 0.0.0.0:${input}` : ""),
	).describe(
		"Address and port. `*:443` or `:443`: IPv4 and IPv6 at once. Port 0: the kernel picks a free one. With `/udp` behind it: datagrams, QUIC and DTLS among them. Also the listener's name in log and metrics.",
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
		"what limits say",
	),
	bytes_per_second_per_session: byteRate(
		"The same for each session, instead of limits.bytes_per_second_per_session.",
		"what limits say",
	),
	timeouts: listenerTimeouts,
	unknown_versions: choice(["reject", "route"], {
		...{ drop: "write reject", deny: "write reject", close: "write reject", ignore: "write reject" },
		...{ accept: "write route", pass: "write route", allow: "write route", relay: "write route" },
	})
		.optional()
		.meta({
			description:
				"UDP: what becomes of QUIC in versions whose first packets cannot be opened. `reject`: it is dropped. `route`: it takes the first route that asks for no name and no ALPN.",
			default: defaults.datagrams.unknownVersions,
		}),
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
