import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { versionOf } from "../../systems/version.js";
import { type Assignment, BACKLOG, CHANNEL, SUBSCRIBERS_MAX, withVariants } from "../system.js";

const MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so";

export const nchanServers = withVariants(
	{
		id: "nchan",
		note: "1 worker, no access log, newcomers begin with the next message, whoever takes nothing stays",
		install: "apt-get install nginx libnginx-mod-nchan",
		version: () => (existsSync(MODULE) ? versionOf("nginx", ["-V"], /nginx\/(\S+)/) : null),
		cannot: {},
		isJudged: false,

		prepare(assignment) {
			const file = join(assignment.directory, "nginx.conf");
			writeFileSync(file, configure(assignment));
			return { command: "nginx", args: ["-e", "stderr", "-p", assignment.directory, "-c", file] };
		},

		doors({ listen }) {
			const door = (port: number) => ({ port, path: `/sub/${CHANNEL}`, says: null, confirms: null });
			return {
				plain: door(listen.plain),
				tls: door(listen.tls),
				publish: { port: listen.publish, path: `/pub/${CHANNEL}`, fields: {}, before: "", after: "" },
			};
		},
	},
	["deaf"],
);

function configure({ listen, certificate, directory }: Assignment): string {
	const subscribers =
		"location ~ ^/sub/(\\w+)$ { nchan_subscriber websocket; nchan_channel_id $1; nchan_subscriber_first_message newest; }";
	return `
load_module ${MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile ${SUBSCRIBERS_MAX + 1000};
pid ${directory}/nginx.pid;
error_log stderr error;
events { worker_connections ${SUBSCRIBERS_MAX + 500}; }

http {
	access_log off;
	client_body_temp_path ${directory}/bodies;
	send_timeout 1h;
	nchan_max_reserved_memory 64M;
	server { listen 127.0.0.1:${listen.plain} backlog=${BACKLOG}; ${subscribers} }
	server {
		listen 127.0.0.1:${listen.tls} ssl backlog=${BACKLOG};
		ssl_certificate ${certificate.certFile};
		ssl_certificate_key ${certificate.keyFile};
		${subscribers}
	}
	server { listen 127.0.0.1:${listen.publish}; location ~ ^/pub/(\\w+)$ { nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 10; } }
}
`;
}
