import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mainOf, OWN_DIST, versionIn } from "../../systems/sluice.js";
import { type Assignment, IDLE_S_OF, QUIC_NAME, SESSIONS_MAX, type UdpSystem } from "../system.js";

export const sluice: UdpSystem = checkoutOf("sluice", OWN_DIST, "");

/** Another checkout of Sluice, beside which this one is judged; `dist` is where it was built. */
export function sluiceBefore(dist: string): UdpSystem {
	return checkoutOf("sluice-before", dist, `built in ${dist}; `);
}

function checkoutOf(id: string, dist: string, where: string): UdpSystem {
	return {
		id,
		note: `${where}1 reactor, session log off, no admin port`,
		install: "npm run build",
		version: () => (existsSync(mainOf(dist)) ? versionIn(dist) : null),
		cannot: {},
		prepare(assignment) {
			const file = join(assignment.directory, "sluice.yaml");
			writeFileSync(file, configure(assignment));
			return { command: process.execPath, args: [mainOf(dist), "run", "-c", file] };
		},
	};
}

function configure({ ways, sni, namedTo }: Assignment): string {
	const byName = namedTo.map(({ name }, i) => `{ sni: ${name}, to: named${i} }`);
	const listeners = [
		...ways.map(({ role, listen, idleS }) =>
			listener(listen, idleS, [role === "quic" ? `{ sni: ${QUIC_NAME}, to: quic }` : `{ to: ${role} }`]),
		),
		listener(sni, IDLE_S_OF.brief, byName),
	];
	return `
reactors: 1
limits: { connections: ${SESSIONS_MAX} }
timeouts: { drain: 1s }
log: { sessions: false }
listeners:
${listeners.join("")}
upstreams:
${ways.map(({ role, to }) => `  ${role}: { udp: 127.0.0.1:${to} }`).join("\n")}
${namedTo.map(({ port }, i) => `  named${i}: { udp: 127.0.0.1:${port} }`).join("\n")}
`;
}

function listener(port: number, idleS: number, routes: readonly string[]): string {
	return `  - listen: 127.0.0.1:${port}/udp
    timeouts: { idle: ${idleS}s }
    routes:
${routes.map((route) => `      - ${route}\n`).join("")}`;
}
