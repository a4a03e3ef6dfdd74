import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TLS_NAME } from "../../load/wire.js";
import { mainOf, OWN_DIST, versionIn } from "../../systems/sluice.js";
import { readOutboxes } from "../outboxes.js";
import {
	type Assignment,
	BACKLOG,
	CHANNEL,
	type HubSystem,
	nodeArguments,
	SUBSCRIBERS_MAX,
	withVariants,
} from "../system.js";

export const sluices = checkoutOf("sluice", OWN_DIST, "");

/** Another checkout of Sluice, beside which this one is judged; `dist` is where it was built. */
export function sluicesBefore(dist: string): readonly HubSystem[] {
	return checkoutOf("sluice-before", dist, `built in ${dist}; `);
}

function checkoutOf(id: string, dist: string, where: string): HubSystem[] {
	return withVariants(
		{
			id,
			note: `${where}1 reactor, session log off, drop-oldest with an outbox of 64 messages and 64 KiB, no heartbeats, whoever takes nothing stays`,
			install: "npm run build",
			version: () => (existsSync(mainOf(dist)) ? versionIn(dist) : null),
			cannot: {},
			isJudged: true,

			prepare(assignment) {
				const file = join(assignment.directory, "sluice.yaml");
				writeFileSync(file, configure(assignment));
				return {
					command: process.execPath,
					args: nodeArguments(assignment, mainOf(dist), "run", "-c", file),
				};
			},

			outboxes: ({ publish }) => readOutboxes(publish.port),

			doors({ listen }) {
				const path = `/channels/${CHANNEL}`;
				const door = (port: number) => ({ port, path, says: null, confirms: '"type":"subscribed"' });
				const fields = { "Content-Type": "text/plain", "Sluice-Operator": "bench" };
				return {
					plain: door(listen.plain),
					tls: door(listen.tls),
					publish: { port: listen.publish, path: `/api/hub/${CHANNEL}`, fields, before: "", after: "" },
				};
			},
		},
		["again", "deaf"],
	);
}

function configure({ listen, certificate }: Assignment): string {
	const { certFile, keyFile } = certificate;
	return `
reactors: 1
limits: { connections: ${SUBSCRIBERS_MAX} }
timeouts: { stall: 1h, drain: 1s }
log: { sessions: false }
admin: 127.0.0.1:${listen.publish}
hub:
  heartbeat: 1h
  dead_after: 2h
  channels:
    - { match: ${CHANNEL}, policy: drop-oldest, outbox: { messages: 64, bytes: 64KiB }, subscribe: public }
listeners:
  - listen: 127.0.0.1:${listen.plain}
    backlog: ${BACKLOG}
    routes: [{ path: /channels/, to: hub }]
  - listen: 127.0.0.1:${listen.tls}
    backlog: ${BACKLOG}
    tls: [{ names: [${TLS_NAME}], cert: ${certFile}, key: ${keyFile} }]
    routes: [{ path: /channels/, to: hub }]
`;
}
