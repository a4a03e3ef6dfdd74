import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Assignment, BACKLOG, type Launch, SESSIONS_MAX, type System, THREADS } from "./system.js";

/** From dist/bench/systems: the compiled command, and the package it belongs to. */
const MAIN = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

export const sluice: System = {
	id: "sluice",
	note: `${THREADS} reactors, session log off, no admin port; HTTP: no bound on requests per connection`,
	install: "npm run build",
	cannot: {},
	readsRequests: true,

	version() {
		return existsSync(MAIN) ? packageVersion() : null;
	},

	prepare(assignment: Assignment): Launch {
		const file = join(assignment.directory, "sluice.yaml");
		writeFileSync(file, configure(assignment));
		return { command: process.execPath, args: [MAIN, "run", "-c", file] };
	},
};

function configure({ listen, relayTo, bulkTo, httpTo, sniTo }: Assignment): string {
	return `
reactors: ${THREADS}
limits: { connections: ${SESSIONS_MAX}, requests_per_connection: 1000000000 }
timeouts: { handshake: 5s, idle: 10m, drain: 1s }
log: { sessions: false }
listeners:
  - listen: 127.0.0.1:${listen.relay}
    backlog: ${BACKLOG}
    routes: [{ to: relay }]
  - listen: 127.0.0.1:${listen.bulk}
    backlog: ${BACKLOG}
    routes: [{ to: bulk }]
  - listen: 127.0.0.1:${listen.sni}
    backlog: ${BACKLOG}
    routes:
${sniTo.map(({ name }, i) => `      - { sni: ${name}, to: sni${i} }`).join("\n")}
  - listen: 127.0.0.1:${listen.http}
    backlog: ${BACKLOG}
    routes: [{ to: web }]
upstreams:
  web: { http: "http://127.0.0.1:${httpTo}", pool: { requests: 1000000000 } }
  relay: 127.0.0.1:${relayTo}
  bulk: 127.0.0.1:${bulkTo}
${sniTo.map(({ port }, i) => `  sni${i}: 127.0.0.1:${port}`).join("\n")}
`;
}

/** Of the nearest package.json above: `dist/` may lie anywhere below it. */
function packageVersion(): string {
	for (const up of ["../../..", "../.."]) {
		const file = fileURLToPath(new URL(`${up}/package.json`, import.meta.url));
		if (!existsSync(file)) continue;
		const { version } = JSON.parse(readFileSync(file, "utf8")) as { version?: string };
		return version ?? "unknown version";
	}
	return "unknown version";
}
