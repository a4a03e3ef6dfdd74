import { type Case, cases, file, listener, route, stream, upstream } from "./datagram-files.js";

cases("good files have no problem", [
	[file({})],
	[listener("connections: 5, bytes_per_second: 1MiB, timeouts: { handshake: 1s, idle: 5s, lifetime: 1h }")],
	[listener("proxy_protocol: off, via: off, log_requests: off")],
	[route("protocol: [quic, dtls], sni: a.test, alpn: h3, to: dns")],
	[file({ routes: "{ source: [10.0.0.0/8], to: reject }, { to: dns }" })],
	[route("protocol: other, to: dns, timeouts: { idle: 1m, lifetime: 2m }, bytes_per_second: 1MiB")],
	[upstream("udp: [10.0.0.53:53, a.test:53], responses: 1, tls: off, proxy_protocol: off")],
	[upstream('udp: 10.0.0.53:53, health: { send: "ping", timeout: 1s, fall: 1, rise: 1 }')],
	[upstream("udp: 10.0.0.53:53, health: off")],
	[stream("")],
	[file({ general: "admin: 127.0.0.1:53" })],
]);

const DOES_NOTHING = "does nothing on UDP";

cases("what has no meaning for datagrams is told why", [
	...(
		[
			["tls: [{ names: ['*'], cert: a, key: b }]", "certificates are the upstream's"],
			["proxy_protocol: require", "not looked for in datagrams"],
			["trusted: [10.0.0.0/8]", "not looked for in datagrams"],
			["backlog: 5", "not accepted"],
			["forwarded_trusted: [10.0.0.0/8]", "requests of HTTP/1"],
			["requests_per_second: 5", "requests of HTTP/1"],
			["log_requests: all", "requests of HTTP/1"],
			["paths: strict", "requests of HTTP/1"],
			["via: on", "requests of HTTP/1"],
		] as const
	).flatMap(([key, why]): Case[] => [
		[listener(key), ["3:31", DOES_NOTHING]],
		[listener(key), ["3:31", why]],
	]),
	...["connect", "stall", "half_closed", "request_head", "response_head", "keep_alive", "silence"].map(
		(key): Case => [listener(`timeouts: { ${key}: 4s }`), ["3:43", `"${key}" ${DOES_NOTHING}`]],
	),
	...["connect", "stall", "half_closed", "response_head"].flatMap((key): Case[] => [
		[route(`to: dns, timeouts: { ${key}: 4s }`), ["4:39", `"${key}" ${DOES_NOTHING}`]],
		[upstream(`udp: a:1, timeouts: { ${key}: 4s }`), ["5:43", `"${key}" ${DOES_NOTHING}`]],
	]),
	...[
		"requests_per_second: 5",
		"basic_auth: { a: pw1_YW4gZXhhbXBsZSBzYWx0IedZEa6JDQbHWAHa4ZYzKysfRxmL-6sn8bVe0DdCYazg }",
		"request_headers: {}",
		"response_headers: {}",
		"request_body_bytes: 5",
		"body_bytes_per_second: 5",
	].map((key): Case => [route(`to: dns, ${key}`), ["4:27", DOES_NOTHING]]),
	[route("to: dns, host: a.test"), ["4:27", 'write "sni" instead']],
	[route("to: dns, path: /a"), ["4:27", "datagrams are routed by sni, alpn, protocol and source: remove it"]],
	[route("to: dns, subprotocol: mqtt"), ["4:27", "datagrams are routed by sni, alpn, protocol and source"]],
	[route("to: reject, timeouts: { idle: 1s }"), ["4:30", 'does nothing with "to: reject"']],
]);

cases("routes on UDP ask for what a first datagram can be", [
	...["tls", "http", "ssh", "h2c"].map(
		(protocol): Case => [
			route(`protocol: ${protocol}, to: dns`),
			[
				"4:28",
				`"protocol: ${protocol}" comes over TCP, and this listener is on UDP: write quic, dtls, other or any`,
			],
		],
	),
	[route("protocol: [quic, tls], to: dns"), ["4:28", '"protocol: tls" comes over TCP']],
	[route("protocol: other, sni: a.test, to: dns"), ["4:28", '"sni" holds for quic and dtls only']],
	[route("protocol: any, alpn: h3, to: dns"), ["4:28", '"alpn" holds for quic and dtls only']],
	[route("protocol: [quic, other], sni: a.test, to: dns"), ["4:28", 'remove "protocol: other"']],
	[route("protocol: h3, to: dns"), ["4:28", "write quic"]],
	[route("protocol: udp, to: dns"), ["4:28", "listeners of their own"]],
	[route("protocol: dns, to: dns"), ["4:28", "write other"]],
	[route("sni: 10.0.0.1, to: dns"), ["4:23", "RFC 6066"]],
]);

cases("connections and datagrams go to upstreams that take them", [
	[
		file({ upstreams: "dns: 10.0.0.53:53" }),
		[
			"4:22",
			'"dns" takes connections, and this listener takes datagrams: name an upstream with udp: [host:port], or remove /udp',
		],
	],
	[file({ upstreams: "dns: { http: http://a }" }), ["4:22", '"dns" takes connections']],
	[route("to: dsn"), ["4:22", 'did you mean "dns"?']],
	[route("to: tunnels"), ["4:22", '"to: tunnels" needs a section for the agents']],
	[route("to: { status: 503 }"), ["4:22", "only requests of HTTP/1.1 can be answered, and no datagram"]],
	[route("to: { redirect: https }"), ["4:22", "no datagram"]],
	[
		stream("", "", "{ to: dns }"),
		[
			"4:48",
			'"dns" takes datagrams, and this listener takes connections: name an upstream with addresses: [host:port]',
		],
	],
	[
		stream("", "", "{ protocol: quic, to: web }"),
		[
			"4:54",
			'"protocol: quic" comes by UDP, and this listener is on TCP: write a listener for it whose address ends in /udp',
		],
	],
	[stream("", "", "{ protocol: [ssh, dtls], to: web }"), ["4:54", '"protocol: dtls" comes by UDP']],
	[stream("", "", "{ protocol: quic, sni: b.test, to: web }"), ["4:54", '"protocol: quic" comes by UDP']],
	[stream(", unknown_versions: route"), ["3:31", '"unknown_versions" is of QUIC, which comes by UDP']],
	[stream("", ", responses: 1"), ["1:44", '"responses" holds for "udp" only']],
	[stream("", ", health: { send: x }"), ["1:54", '"send" holds for "udp" only']],
]);

cases("an upstream is for datagrams, or for something else", [
	[upstream("udp: a:1, addresses: b:1"), ["5:31", '"udp" stands instead of "addresses"']],
	[upstream("udp: a:1, http: http://b"), ["5:31", '"udp" stands instead of "http"']],
	[upstream("udp: a:1, tls: on"), ["5:31", "QUIC and DTLS pass as they are"]],
	[upstream("udp: a:1, tls: { verify: false }"), ["5:31", "QUIC and DTLS pass as they are"]],
	[upstream("udp: a:1, host: b"), ["5:31", "datagrams are relayed as they come"]],
	[upstream("udp: a:1, trailers: on"), ["5:31", "datagrams are relayed as they come"]],
	[upstream("udp: a:1, pool: on"), ["5:31", "each session of datagrams has a socket of its own"]],
	[upstream("udp: a:1, proxy_protocol: v1"), ["5:47", "a line of text that says TCP"]],
	[upstream("udp: a:1, proxy_protocol: v2, proxy_tlvs: [sni]"), ["5:51", '"proxy_tlvs" is of connections']],
	[upstream("udp: [a:1, a:1]"), ["5:32", "stands in the list already"]],
	[upstream("udp: { address: a:1, backup: yes }"), ["5:42", "all addresses are backups"]],
	[upstream("udp: []"), ["5:26", "an upstream without addresses can take no datagram"]],
	[upstream("udp: unix:/run/x"), ["5:26", "an IP address or a host name with a port"]],
	[upstream("udp: a:1/udp"), ["5:26", "write a:1"]],
	[upstream("udp: 53"), ["5:26", "expected one or more of host:port"]],
	[upstream("addresses: a:1/udp"), ["4:22", "takes connections"], ["5:32", "write { udp: a:1 }"]],
	[file({ upstreams: "dns: a:1/udp" }), ["4:22", "takes connections"], ["5:19", "write { udp: a:1 }"]],
	[upstream("udp: a:1, responses: 0"), ["5:42", "from 1 to 65535"]],
	[upstream("udp: a:1, responses: 65536"), ["5:42", "from 1 to 65535"]],
	[upstream("balance: round_robin"), ["5:19", "or udp: [host:port] for datagrams"]],
]);

const health = (keys: string): string => upstream(`udp: a:1, health: ${keys}`);

cases("a check of datagrams sends something that is answered", [
	[health("on"), ["5:31", 'say what the upstream answers, such as health: { send: "ping" }']],
	[health("{}"), ["5:31", "told by an answer alone"]],
	[health("{ interval: 5s }"), ["5:31", "told by an answer alone"]],
	[health("{ send: x, path: /a }"), ["5:50", '"path" is of HTTP checks, and this upstream takes datagrams']],
	[health("{ send: x, status: 200 }"), ["5:50", '"status" is of HTTP checks']],
	[health("{ send: x, host: a }"), ["5:50", '"host" is of HTTP checks']],
	[health('{ send: "" }'), ["5:47", "nothing would be sent"]],
	[health("{ send: 5 }"), ["5:47", "found the number 5: put it in quotes"]],
	[health('{ send: "hex:0" }'), ["5:47", "two hex digits each"]],
	[health("{ send: x, timeout: 6s }"), ["5:59", "timeout must not be longer than interval (5s)"]],
	[health("sometimes"), ["5:39", "expected on, off or a mapping"]],
]);

const ids = (...values: readonly (string | null)[]): string =>
	upstream(
		`udp: [${values.map((id, n) => (id === null ? `a:${n + 1}` : `{ address: a:${n + 1}, server_id: ${id} }`)).join(", ")}]`,
	);

cases("server IDs of an upstream are of one length, and differ", [
	[ids('"0a01"', '"0a02"')],
	[ids("0a")],
	[ids("1234"), ["5:54", "found the number 1234: put it in quotes"]],
	[ids("0x12"), ["5:54", "put it in quotes"]],
	[ids('"0x12"'), ["5:54", 'write "12"']],
	[ids('"0a01"', '"0a"'), ["5:91", "the one on line 5 has 2 bytes: write as many here"]],
	[ids('"0a01"', '"0A01"'), ["5:91", "the address on line 5 has this server ID already"]],
	[ids('"0a01"', null), ["5:64", 'have a "server_id", and this one has none']],
	[
		upstream("addresses: { address: a:1, server_id: '00' }"),
		["4:22", "takes connections"],
		["5:48", 'belongs under "upstreams.udp"'],
	],
]);

cases("an address is bound once for connections and once for datagrams", [
	[
		file({ general: "tunnels: { listen: 127.0.0.1:55, insecure: true, ports: 55-60, agents: [] }" }),
		["1:57", "port 55 of these is taken by agents"],
	],
	[
		file({ general: "tunnels: { listen: 127.0.0.1:4443, insecure: true, ports: 50-60, agents: [] }" }),
		["1:59", "port 53 of these is taken by the listener on line 3"],
	],
	[
		`${file({})}\n`.replace("upstreams", '  - { listen: ":53/udp", routes: [{ to: dns }] }\nupstreams'),
		["5:15", "already taken by the listener on line 3"],
	],
	[file({ general: "admin: 127.0.0.1:53/udp" }), ["1:8", "write 53 alone"]],
	[
		file({ general: "tunnels: { listen: 127.0.0.1:4443/udp, insecure: true, agents: [] }" }),
		["1:20", "write 4443 alone"],
	],
]);

cases("an upstream that leads back is told where both are of UDP", [
	[
		upstream("udp: 127.0.0.1:53"),
		["5:26", "the gateway's own listener on line 3: its sessions would come back"],
	],
	[upstream("udp: [{ address: localhost:53 }, 10.0.0.1:53]"), ["5:38", "the gateway's own listener"]],
	[`${file({})}, web: 127.0.0.1:53 }`.replace(" }, web", ", web"), ["5:42", 'no route leads to "web"']],
]);

const AGENTS =
	"tunnels: { listen: 127.0.0.1:4443, insecure: true, domain: a.test, agents: [{ id: a, public_key: kDHCDoIsa0cXLjlRXO5jr7uPu913jCo34lbFr3lDrUk, names: [b] }] }";

cases("QUIC goes through tunnels by its name, and nothing else of UDP does", [
	...["sni: '*.a.test', ", "protocol: quic, ", "protocol: quic, sni: b.a.test, alpn: h3, "].map(
		(conditions): Case => [file({ general: AGENTS, routes: `{ ${conditions}to: tunnels }, { to: dns }` })],
	),
	...["dtls", "other", "[quic, dtls]"].map(
		(protocol): Case => [
			file({ general: AGENTS, routes: `{ protocol: ${protocol}, to: tunnels }, { to: dns }` }),
			["4:28", "tunnels take QUIC by the name that it asks for"],
		],
	),
]);

cases("routes that nothing reaches are told on UDP as on TCP", [
	[file({ routes: "{ to: dns }, { protocol: any, to: reject }" }), ["4:29", "takes everything"]],
	[
		file({ routes: "{ protocol: quic, to: dns }, { protocol: quic, sni: a.test, to: dns }" }),
		["4:45", "(protocol=quic)"],
	],
	[file({ routes: "{ protocol: quic, to: dns }, { sni: a.test, to: dns }" })],
	[file({ routes: "{ source: 10.0.0.0/8, to: reject }, { protocol: any, to: dns }" })],
]);

cases("what can be followed and does nothing is a warning", [
	[
		file({ general: "timeouts: { idle: 1m, drain: 5s, handshake: 2s, lifetime: 9h }" }),
		[
			"1:13",
			'idle does nothing here: it is of connections, and all listeners are on UDP; write it under "timeouts" of each',
		],
	],
	[file({ general: "timeouts: { stall: 1m }" }), ["1:13", "stall does nothing here"]],
	[`timeouts: { idle: 1m }\n${stream("")}`],
	[
		listener("timeouts: { idle: 1h, lifetime: 1h }"),
		["3:49", "idle (1h) never comes: lifetime (1h, line 3)"],
	],
	[
		file({ general: "timeouts: { lifetime: 10s }", keys: ", timeouts: { idle: 1m }" }),
		["3:49", "idle (1m) never comes"],
	],
	[route("to: dns, timeouts: { idle: 1h, lifetime: 1h }"), ["4:45", "idle (1h) never comes"]],
	[upstream("udp: a:1, timeouts: { idle: 1h, lifetime: 1h }"), ["5:49", "idle (1h) never comes"]],
	[upstream("udp: a:1")],
	[file({ upstreams: "dns: { udp: a:1 }, other: { udp: b:1 }" }), ["5:33", 'no route leads to "other"']],
	[
		file({
			keys: ", unknown_versions: route",
			routes: "{ sni: a.test, to: dns }, { protocol: quic, to: reject }, { protocol: dtls, to: dns }",
		}),
		["3:49", "finds no route here"],
	],
	[
		file({
			keys: ", unknown_versions: route",
			routes: "{ sni: a.test, to: dns }, { protocol: [dtls, quic], to: dns }",
		}),
	],
	[file({ keys: ", unknown_versions: route" })],
	[
		file({
			routes: "{ sni: a.test, to: reject }, { to: dns }",
			upstreams: "dns: { udp: a:1, responses: 1 }",
		}),
		["4:45", 'write "protocol: other" beside "to: dns"'],
	],
	...["protocol: other", "protocol: [any]"].map(
		(key): Case => [
			file({
				routes: `{ protocol: dtls, to: reject }, { ${key}, to: dns }`,
				upstreams: "dns: { udp: a:1, responses: 1 }",
			}),
		],
	),
	[file({ upstreams: "dns: { udp: a:1, responses: 1 }" })],
	[file({ routes: "{ sni: a.test, to: reject }, { to: dns }" })],
	[
		route("alpn: [h3, h2], to: dns"),
		["4:29", '"h2" comes over TCP, and this listener is on UDP: HTTP/3 is h3'],
	],
	[route("alpn: http/1.1, to: dns"), ["4:24", '"http/1.1" comes over TCP']],
	[
		stream("", "", "{ to: web }").replace("sni: x.test", "alpn: h3"),
		["4:24", '"h3" comes by QUIC, and this listener is on TCP'],
	],
	[
		file({ routes: "{ sni: a.test, to: dns }", upstreams: "dns: { udp: a:1, responses: 1 }" }),
		[
			"4:35",
			'by "sni" come connections of QUIC and DTLS, and "dns" ends each behind its answers (responses: 1)',
		],
	],
	[
		file({ routes: "{ protocol: dtls, to: dns }", upstreams: "dns: { udp: a:1, responses: 1 }" }),
		["4:38", 'by "protocol"'],
	],
]);

cases("words are told what to write", [
	[listener("unknown_versions: drop"), ["3:49", "write reject"]],
	[listener("unknown_versions: accept"), ["3:49", "write route"]],
	[listener("transport: udp"), ["3:31", "a listener takes datagrams when its address ends in /udp"]],
	[listener("Protocol: UDP"), ["3:31", "a listener takes datagrams when its address ends in /udp"]],
	[
		upstream("udp: a:1, quic: on"),
		["5:31", "an upstream takes datagrams when its addresses stand under udp"],
	],
	[listener("unkown_versions: route"), ["3:31", 'did you mean "unknown_versions"?']],
	[file({}).replace("53/udp", "53/quic"), ["3:15", "write 0.0.0.0:53/udp"]],
	[file({}).replace("53/udp", "53/UDP"), ["3:15", "write 0.0.0.0:53/udp"]],
	[file({}).replace("0.0.0.0:53/udp", "udp://0.0.0.0:53"), ["3:15", "write 0.0.0.0:53/udp"]],
	[file({ general: "limits: { half_hellos: 0 }" }), ["1:24", "from 1 to 65536"]],
	[file({ general: "limits: { half_hello: 5 }" }), ["1:11", 'did you mean "half_hellos"?']],
]);
