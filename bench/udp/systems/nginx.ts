import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nginx as nginxOfTcp, STREAM_MODULE } from "../../systems/nginx.js";
import { type Assignment, RECEIVE_BYTES, SESSIONS_MAX, type UdpSystem, type Way } from "../system.js";

export const nginx: UdpSystem = {
	id: "nginx",
	note: `stream, 1 worker, no access log, a receive buffer of ${RECEIVE_BYTES} bytes`,
	install: nginxOfTcp.install,
	version: nginxOfTcp.version,
	cannot: { sni: "it reads no QUIC" },
	prepare,
};

/** By the ratio of the two it is seen how much the rounds of a row can tell. */
export const nginxAgain: UdpSystem = {
	...nginx,
	id: "nginx-again",
	note: "a second instance of the same, to see how far the machine's weather alone moves a ratio",
};

function prepare(assignment: Assignment) {
	const file = join(assignment.directory, "nginx.conf");
	writeFileSync(file, configure(assignment));
	return { command: "nginx", args: ["-e", "stderr", "-p", assignment.directory, "-c", file] };
}

function configure({ ways, directory }: Assignment): string {
	return `
${existsSync(STREAM_MODULE) ? `load_module ${STREAM_MODULE};` : ""}
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile ${SESSIONS_MAX + 1000};
# Of a session, nginx counts the client's side as a connection, too.
events { worker_connections ${2 * SESSIONS_MAX}; }

stream {
${ways.map(server).join("\n")}
}
`;
}

function server({ listen, to, idleS }: Way): string {
	return `	server { listen 127.0.0.1:${listen} udp rcvbuf=${RECEIVE_BYTES}; proxy_pass 127.0.0.1:${to}; proxy_timeout ${idleS}s; }`;
}
