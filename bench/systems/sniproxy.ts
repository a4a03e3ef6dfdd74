import { writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { HOST } from "../load/wire.js";
import type { Program } from "../start.js";
import type { Assignment, System } from "./system.js";
import { versionOf } from "./version.js";

const UNNAMED = "it routes by names only";

export const sniproxy: System = {
	id: "sniproxy",
	note: "single-threaded; has no plain TCP mode, so outside the SNI row it routes by the Host of the first request",
	install: "apt-get install sniproxy",
	cannot: { smtp: UNNAMED, mysql: UNNAMED, postgres: UNNAMED },
	readsRequests: false,
	terminatesTls: false,

	version: () => versionOf("sniproxy", ["-V"], /sniproxy (\S+)/),

	prepare(assignment: Assignment): Program {
		const file = join(assignment.directory, "sniproxy.conf");
		writeFileSync(file, configure(assignment));
		return { command: "sniproxy", args: ["-f", "-c", file] };
	},
};

function configure({ listen, relayTo, bulkTo, sniTo, directory }: Assignment): string {
	// Table entries are regular expressions.
	const pattern = (name: string): string => `^${name.replaceAll(".", "\\.")}$`;
	return `
user ${userInfo().username}
pidfile ${directory}/sniproxy.pid
error_log {
	filename ${directory}/sniproxy.log
	priority error
}
listener 127.0.0.1:${listen.relay} {
	proto http
	table relay
}
listener 127.0.0.1:${listen.bulk} {
	proto http
	table bulk
}
listener 127.0.0.1:${listen.sni} {
	proto tls
	table sni
}
table relay {
	${pattern(HOST)} 127.0.0.1:${relayTo}
}
table bulk {
	${pattern(HOST)} 127.0.0.1:${bulkTo}
}
table sni {
${sniTo.map(({ name, port }) => `	${pattern(name)} 127.0.0.1:${port}`).join("\n")}
}
`;
}
