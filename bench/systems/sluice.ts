import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TLS_NAME } from "../load/wire.js";
import type { Program } from "../start.js";
import { type Assignment, BACKLOG, SESSIONS_MAX, type System, THREADS } from "./system.js";
import { versionOf } from "./version.js";

/** The directory that this file was built into, of which it is `bench/systems`. */
export const OWN_DIST = fileURLToPath(new URL("../..", import.meta.url));

/** Rows in which lines of sessions are written. */
const LOGGED_ROWS = ["sni", "short-sessions"];

/** `id-logged`: the same with its log on. */
const LOGGED = "-logged";
const BEFORE = "-before";

export const [sluice, sluiceLogged] = checkoutOf("sluice", OWN_DIST, "");

/** Another checkout of Sluice, beside which this one is judged; `dist` is where it was built. */
export function sluiceBefore(dist: string): readonly [System, System] {
	return checkoutOf(`sluice${BEFORE}`, dist, `built in ${dist}; `);
}

/** The older one of a pair. */
export function beforeOf(id: string): string {
	return id.replace(/^sluice/, `sluice${BEFORE}`);
}

/** Its main program, below a directory `dist`. */
export function mainOf(dist: string): string {
	return join(dist, "src/cli/main.js");
}

function checkoutOf(id: string, dist: string, where: string): readonly [System, System] {
	const terminatesTls = canTerminateTls(dist);
	const common = {
		install: "npm run build",
		readsRequests: true,
		terminatesTls,
		dist,
		version: () => (existsSync(mainOf(dist)) ? versionIn(dist) : null),
	};
	const prepare = (assignment: Assignment, logs: boolean): Program => {
		const file = join(assignment.directory, "sluice.yaml");
		writeFileSync(file, configure(assignment, terminatesTls, logs));
		return { command: process.execPath, args: [mainOf(dist), "run", "-c", file] };
	};
	return [
		{
			...common,
			id,
			note: `${where}${THREADS} reactors, session log off, no admin port; relayed requests: protocol http; HTTP: no bound on requests per connection`,
			cannot: { "short-sessions": "its log is off" },
			prepare: (assignment) => prepare(assignment, false),
		},
		{
			...common,
			id: `${id}${LOGGED}`,
			note: "the same, with a line per session written to a file",
			variantOf: id,
			cannot: {},
			onlyRows: LOGGED_ROWS,
			prepare: (assignment) => prepare(assignment, true),
		},
	];
}

function configure(
	{ listen, relayTo, bulkTo, httpTo, onceTo, dialogueTo, certificate, sniTo }: Assignment,
	terminatesTls: boolean,
	logs: boolean,
): string {
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
log: { sessions: ${logs} }
listeners:
  - listen: 127.0.0.1:${listen.relay}
    backlog: ${BACKLOG}
    routes: [{ protocol: http, to: relay }]
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
  - listen: 127.0.0.1:${listen.smtp}
    backlog: ${BACKLOG}
    routes: [{ to: smtp }]
  - listen: 127.0.0.1:${listen.mysql}
    backlog: ${BACKLOG}
    routes: [{ to: mysql }]
  - listen: 127.0.0.1:${listen.postgres}
    backlog: ${BACKLOG}
    routes: [{ protocol: other, to: postgres }]
${terminatesTls ? tlsListeners : ""}upstreams:
  once: 127.0.0.1:${onceTo}
  web: { http: "http://127.0.0.1:${httpTo}", pool: { requests: 1000000000 } }
  relay: 127.0.0.1:${relayTo}
  bulk: 127.0.0.1:${bulkTo}
  smtp: 127.0.0.1:${dialogueTo.smtp}
  mysql: 127.0.0.1:${dialogueTo.mysql}
  postgres: 127.0.0.1:${dialogueTo.postgres}
${sniTo.map(({ port }, i) => `  sni${i}: 127.0.0.1:${port}`).join("\n")}
`;
}

/** Of the package, and the commit where it lies in a repository. */
export function versionIn(dist: string): string {
	const text = packageFile(dist, "package.json");
	const version = text === null ? undefined : (JSON.parse(text) as { version?: string }).version;
	const commit = versionOf("git", ["-C", dist, "describe", "--always", "--dirty"], /^(\S+)$/m);
	const named = version ?? "unknown version";
	return commit === null || commit === "unknown version" ? named : `${named} (${commit})`;
}

/** What this version can be configured to do stands in its schema. */
function canTerminateTls(dist: string): boolean {
	const text = packageFile(dist, "sluice.schema.json");
	if (text === null) return false;
	const schema = JSON.parse(text) as {
		properties?: { listeners?: { items?: { properties?: Record<string, unknown> } } };
	};
	return schema.properties?.listeners?.items?.properties?.["tls"] !== undefined;
}

/** In the nearest directory that has one: `dist` may lie anywhere below it. */
function packageFile(dist: string, name: string): string | null {
	for (const up of ["..", "."]) {
		const file = join(dist, up, name);
		if (existsSync(file)) return readFileSync(file, "utf8");
	}
	return null;
}
