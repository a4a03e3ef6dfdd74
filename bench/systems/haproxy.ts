import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	type Assignment,
	BACKLOG,
	HTTP_ROWS,
	type Launch,
	SESSIONS_MAX,
	type System,
	THREADS,
} from "./system.js";
import { versionOf } from "./version.js";

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

export const haproxy: System = {
	...common,
	id: "haproxy",
	note: `mode tcp, nbthread ${THREADS}, no log, no splicing (the default); SNI: inspect-delay 5s and req.ssl_sni; HTTP: mode http, forwardfor, http-reuse always; TLS: mode tcp, its defaults but for version, cipher and curve`,
	prepare: (assignment) => prepare(assignment, { sessionsMax: SESSIONS_MAX }),
};

/** Its upstreams learn of the client what sluice's learn: three fields more. */
export const haproxyForwarded: System = {
	...common,
	id: "haproxy-forwarded",
	note: "the same, setting X-Forwarded-For, -Proto, -Host and Forwarded as sluice does; in the HTTP rows only",
	onlyRows: HTTP_ROWS,
	prepare: (assignment) => prepare(assignment, { sessionsMax: SESSIONS_MAX, forwarded: ALL_FORWARDED }),
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
			sessionsMax: 1000,
			defaults: "\toption splice-request\n\toption splice-response",
		}),
};

interface Settings {
	readonly sessionsMax: number;
	/** Lines of its section `defaults`. */
	readonly defaults?: string;
	/** Lines of its HTTP listener that say what upstreams are told of the client. */
	readonly forwarded?: string;
}

function prepare(assignment: Assignment, settings: Settings): Launch {
	const file = join(assignment.directory, "haproxy.cfg");
	writeFileSync(file, configure(assignment, settings));
	// -db: stay in the foreground, one process.
	return { command: "haproxy", args: ["-db", "-f", file] };
}

function configure(
	{ listen, relayTo, bulkTo, httpTo, onceTo, certificate, sniTo }: Assignment,
	{ sessionsMax, defaults = "", forwarded = "\toption forwardfor" }: Settings,
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
	server s 127.0.0.1:${relayTo}

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

frontend sni
	bind 127.0.0.1:${listen.sni}
	tcp-request inspect-delay 5s
	tcp-request content accept if { req.ssl_hello_type 1 }
${sniTo.map(({ name }, i) => `	use_backend sni${i} if { req.ssl_sni -i ${name} }`).join("\n")}

${sniTo.map(({ port }, i) => `backend sni${i}\n	server s 127.0.0.1:${port}`).join("\n\n")}
`;
}
