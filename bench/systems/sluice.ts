import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TLS_NAME } from "../load/wire.js";
import { type Assignment, BACKLOG, type Launch, SESSIONS_MAX, type System, THREADS } from "./system.js";

/** From dist/bench/systems: the compiled command, and the package it belongs to. */
const MAIN = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

export const sluice: System = {
	id: "sluice",
	note: `${THREADS} reactors, session log off, no admin port; HTTP: no bound on requests per connection`,
	install: "npm run build",
	cannot: {},
	readsRequests: true,
	terminatesTls: canTerminateTls(),

	version() {
		return existsSync(MAIN) ? packageVersion() : null;
	},

	prepare(assignment: Assignment): Launch {
		const file = join(assignment.directory, "sluice.yaml");
		writeFileSync(file, configure(assignment));
		return { command: process.execPath, args: [MAIN, "run", "-c", file] };
	},
};

function configure({ listen, relayTo, bulkTo, httpTo, onceTo, certificate, sniTo }: Assignment): string {
	const { certFile, keyFile } = certificate;
	const tlsListener = (port: number, to: string): string => `  - listen: 127.0.0.1:${port}
    backlog: ${BACKLOG}
    tls: [{ names: [${TLS_NAME}], cert: ${certFile}, key: ${keyFile} }]
    routes: [{ to: ${to} }]
`;
	const tlsListeners = tlsListener(listen.tls, "relay") + tlsListener(listen.tlsOnce, "once");
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
${sluice.terminatesTls ? tlsListeners : ""}upstreams:
  once: 127.0.0.1:${onceTo}
  web: { http: "http://127.0.0.1:${httpTo}", pool: { requests: 1000000000 } }
  relay: 127.0.0.1:${relayTo}
  bulk: 127.0.0.1:${bulkTo}
${sniTo.map(({ port }, i) => `  sni${i}: 127.0.0.1:${port}`).join("\n")}
`;
}

function packageVersion(): string {
	const text = packageFile("package.json");
	return (
		(text === null ? undefined : (JSON.parse(text) as { version?: string }).version) ?? "unknown version"
	);
}

/** What this version can be configured to do stands in its schema. */
function canTerminateTls(): boolean {
	const text = packageFile("sluice.schema.json");
	if (text === null) return false;
	const schema = JSON.parse(text) as {
		properties?: { listeners?: { items?: { properties?: Record<string, unknown> } } };
	};
	return schema.properties?.listeners?.items?.properties?.["tls"] !== undefined;
}

/** In the nearest directory above that has one: `dist/` may lie anywhere below it. */
function packageFile(name: string): string | null {
	for (const up of ["../../..", "../.."]) {
		const file = fileURLToPath(new URL(`${up}/${name}`, import.meta.url));
		if (existsSync(file)) return readFileSync(file, "utf8");
	}
	return null;
}
