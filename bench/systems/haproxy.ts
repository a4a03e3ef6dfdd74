import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../start.js";
import {
	type Assignment,
	BACKLOG,
	HTTP_ROWS,
	RELAY_ROWS,
	SESSIONS_MAX,
	type System,
	THREADS,
} from "./system.js";
import { versionOf } from "./version.js";

/** Its upstreams learn of the client what sluice's learn. */
const ALL_FORWARDED = `	http-request set-header X-Forwarded-For %[src]
	http-request set-header X-Forwarded-Proto http
	http-request set-header X-Forwarded-Host %[req.hdr(host)]
	http-request set-header Forwarded for=%[src];proto=http;host=\\"%[req.hdr(host)]\\"`;

const common = {
	install: "apt-get install haproxy",
	cannot: {},
	readsRequests: true,
	terminatesTls: true,
	version: () => versionOf("haproxy", ["-v"], /version (\S+)/),
};

/** It does the work that sluice does: looks at first bytes where sluice looks, and tells upstreams as much. */
export const haproxy: System = {
	...common,
	id: "haproxy",
	note:
		`mode tcp, nbthread ${THREADS}, no log, no splicing (the default); relayed requests: inspect-delay 5s and accept if HTTP; ` +
		"SNI: inspect-delay 5s and req.ssl_sni; PostgreSQL: inspect-delay 5s and req.len; HTTP: mode http, http-reuse always, " +
		"setting X-Forwarded-For, -Proto, -Host and Forwarded as sluice does; TLS: mode tcp, its defaults but for version, cipher and curve",
	prepare: (assignment) => prepare(assignment, EQUAL_WORK),
};

/** By the ratio of the two it is seen how much the rounds of a row can tell. */
export const haproxyAgain: System = {
	...haproxy,
	id: "haproxy-again",
	note: "a second instance of the same, to see how far the machine's weather alone moves a ratio",
	variantOf: haproxy.id,
};

/** As it is set up where nobody asks for more: it looks at nothing that it relays, and tells upstreams one field. */
export const haproxyPlain: System = {
	...common,
	id: "haproxy-plain",
	note: "the same without inspection of relayed requests, and with option forwardfor alone; in the rows of small requests only",
	onlyRows: [...RELAY_ROWS, ...HTTP_ROWS],
	prepare: (assignment) => prepare(assignment, { ...EQUAL_WORK, inspects: false, forwarded: FORWARDED_FOR }),
};

/**
 * Splicing is off unless asked for. `splice-auto` was tried and does nothing for these downloads
 * (strace shows recvfrom and sendto only), so it is demanded instead.
 */
export const haproxySplice: System = {
	...common,
	id: "haproxy-splice",
	note: "the same with option splice-request and splice-response; in the bulk rows only",
	onlyRows: ["bulk", "beside-bulk"],
	// It counts pipes into the descriptors it demands at start; the bulk rows have few sessions.
	prepare: (assignment) =>
		prepare(assignment, {
			...EQUAL_WORK,
			sessionsMax: 1000,
			defaults: "\toption splice-request\n\toption splice-response",
		}),
};

interface Settings {
	readonly sessionsMax: number;
	/** Lines of its section `defaults`. */
	readonly defaults: string;
	/** Relayed requests are looked at before they go anywhere. */
	readonly inspects: boolean;
	/** Lines of its HTTP listener that say what upstreams are told of the client. */
	readonly forwarded: string;
}

const FORWARDED_FOR = "	option forwardfor";

const EQUAL_WORK: Settings = {
	sessionsMax: SESSIONS_MAX,
	defaults: "",
	inspects: true,
	forwarded: ALL_FORWARDED,
};

/** Lines of a listener that waits for first bytes, and takes those only. */
function inspection(condition: string): string {
	return `	tcp-request inspect-delay 5s
	tcp-request content accept if ${condition}
	tcp-request content reject
`;
}

function prepare(assignment: Assignment, settings: Settings): Program {
	const file = join(assignment.directory, "haproxy.cfg");
	writeFileSync(file, configure(assignment, settings));
	// -db: stay in the foreground, one process.
	return { command: "haproxy", args: ["-db", "-f", file] };
}

function configure(
	{ listen, relayTo, bulkTo, httpTo, onceTo, dialogueTo, certificate, sniTo }: Assignment,
	{ sessionsMax, defaults, inspects, forwarded }: Settings,
): string {
	const tls = `ssl crt ${certificate.bothFile} ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256 curves X25519`;
	return `
global
	nbthread ${THREADS}
	maxconn ${sessionsMax}

defaults
	mode tcp
	maxconn ${sessionsMax}
	backlog ${BACKLOG}
	timeout connect 5s
	timeout client 10m
	timeout server 10m
${defaults}

listen relay
	bind 127.0.0.1:${listen.relay}
${inspects ? inspection("HTTP") : ""}	server s 127.0.0.1:${relayTo}

listen bulk
	bind 127.0.0.1:${listen.bulk}
	server s 127.0.0.1:${bulkTo}

listen http
	mode http
${forwarded}
	http-reuse always
	timeout http-keep-alive 10m
	bind 127.0.0.1:${listen.http}
	server s 127.0.0.1:${httpTo} pool-max-conn -1

listen tls
	bind 127.0.0.1:${listen.tls} ${tls}
	server s 127.0.0.1:${relayTo}

listen tls-once
	bind 127.0.0.1:${listen.tlsOnce} ${tls}
	server s 127.0.0.1:${onceTo}

listen smtp
	bind 127.0.0.1:${listen.smtp}
	server s 127.0.0.1:${dialogueTo.smtp}

listen mysql
	bind 127.0.0.1:${listen.mysql}
	server s 127.0.0.1:${dialogueTo.mysql}

listen postgres
	bind 127.0.0.1:${listen.postgres}
${inspection("{ req.len gt 0 }")}	server s 127.0.0.1:${dialogueTo.postgres}

frontend sni
	bind 127.0.0.1:${listen.sni}
	tcp-request inspect-delay 5s
	tcp-request content accept if { req.ssl_hello_type 1 }
${sniTo.map(({ name }, i) => `	use_backend sni${i} if { req.ssl_sni -i ${name} }`).join("\n")}

${sniTo.map(({ port }, i) => `backend sni${i}\n	server s 127.0.0.1:${port}`).join("\n\n")}
`;
}
