import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UPGRADE_PATH } from "../load/wire.js";
import type { Program } from "../start.js";
import { type Assignment, BACKLOG, HTTP_ROWS, SESSIONS_MAX, type System, THREADS } from "./system.js";
import { versionOf } from "./version.js";

/** Debian packages the stream module apart; builds of nginx.org have it inside. */
export const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

const FORWARDED_FOR = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";

const ALL_FORWARDED = `proxy_set_header X-Forwarded-For $remote_addr;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header Forwarded 'for=$remote_addr;proto=$scheme;host="$http_host"';`;

const common = {
	install: "apt-get install nginx libnginx-mod-stream",
	cannot: {},
	readsRequests: true,
	terminatesTls: true,
	version() {
		const version = versionOf("nginx", ["-V"], /nginx\/(\S+)/);
		return version !== null && hasStream() ? version : null;
	},
};

export const nginx: System = {
	...common,
	id: "nginx",
	note: `stream, ${THREADS} workers, no access log; SNI: ssl_preread and map; HTTP: 512 kept upstream connections per worker`,
	prepare: (assignment) => prepare(assignment, FORWARDED_FOR),
};

/** Its upstreams learn of the client what sluice's learn: three fields more. */
export const nginxForwarded: System = {
	...common,
	id: "nginx-forwarded",
	note: "the same, setting X-Forwarded-For, -Proto, -Host and Forwarded as sluice does; in the HTTP rows only",
	onlyRows: HTTP_ROWS,
	prepare: (assignment) => prepare(assignment, ALL_FORWARDED),
};

/** `forwarded`: directives that say what upstreams are told of the client. */
function prepare(assignment: Assignment, forwarded: string): Program {
	const file = join(assignment.directory, "nginx.conf");
	writeFileSync(file, configure(assignment, forwarded));
	return { command: "nginx", args: ["-e", "stderr", "-p", assignment.directory, "-c", file] };
}

function hasStream(): boolean {
	return (
		existsSync(STREAM_MODULE) ||
		versionOf("nginx", ["-V"], /(--with-stream)(?!=dynamic)\b/) === "--with-stream"
	);
}

function configure(
	{ listen, relayTo, bulkTo, httpTo, onceTo, dialogueTo, certificate, sniTo, directory }: Assignment,
	forwarded: string,
): string {
	return `
${existsSync(STREAM_MODULE) ? `load_module ${STREAM_MODULE};` : ""}
daemon off;
worker_processes ${THREADS};
pid ${directory}/nginx.pid;
error_log stderr error;
# Each worker may come to hold all sessions, with two connections each.
worker_rlimit_nofile ${2 * SESSIONS_MAX + 1000};
events { worker_connections ${2 * SESSIONS_MAX}; }

http {
	access_log off;
	keepalive_requests 1000000000;
	upstream web { server 127.0.0.1:${httpTo}; keepalive 512; keepalive_requests 1000000000; }
	server {
		listen 127.0.0.1:${listen.http} backlog=${BACKLOG};
		location / {
			proxy_pass http://web;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			${forwarded}
		}
		location ${UPGRADE_PATH} {
			proxy_pass http://web;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection upgrade;
			proxy_read_timeout 10m;
		}
	}
}

stream {
	proxy_connect_timeout 5s;
	proxy_timeout 10m;
	preread_timeout 5s;

	map $ssl_preread_server_name $sni_upstream {
${sniTo.map(({ name }, i) => `		${name} sni${i};`).join("\n")}
	}
${sniTo.map(({ port }, i) => `	upstream sni${i} { server 127.0.0.1:${port}; }`).join("\n")}

	server { listen 127.0.0.1:${listen.relay} backlog=${BACKLOG}; proxy_pass 127.0.0.1:${relayTo}; }
	server { listen 127.0.0.1:${listen.smtp} backlog=${BACKLOG}; proxy_pass 127.0.0.1:${dialogueTo.smtp}; }
	server { listen 127.0.0.1:${listen.mysql} backlog=${BACKLOG}; proxy_pass 127.0.0.1:${dialogueTo.mysql}; }
	server { listen 127.0.0.1:${listen.postgres} backlog=${BACKLOG}; proxy_pass 127.0.0.1:${dialogueTo.postgres}; }
	ssl_certificate ${certificate.certFile};
	ssl_certificate_key ${certificate.keyFile};
	ssl_protocols TLSv1.3;
	ssl_ecdh_curve X25519;
	server { listen 127.0.0.1:${listen.tls} ssl backlog=${BACKLOG}; proxy_pass 127.0.0.1:${relayTo}; }
	server { listen 127.0.0.1:${listen.tlsOnce} ssl backlog=${BACKLOG}; proxy_pass 127.0.0.1:${onceTo}; }
	server { listen 127.0.0.1:${listen.bulk} backlog=${BACKLOG}; proxy_pass 127.0.0.1:${bulkTo}; }
	server { listen 127.0.0.1:${listen.sni} backlog=${BACKLOG}; ssl_preread on; proxy_pass $sni_upstream; }
}
`;
}
