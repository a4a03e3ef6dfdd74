/** Configurations of the gateways that drills attack, one for each kind of listener. */
import { join } from "node:path";
import { type CertificateFiles, writeCertificate } from "../rig/certificate.js";
import { type Issue, issue, rsaKeys } from "../rig/issue.js";
import { temporaryDirectory } from "../rig/processes.js";
import type { ListenerAddresses } from "./drill.js";
import { NAMES } from "./traffic.js";
import type { DrillPorts } from "./upstream-ports.js";

/** Keys under `timeouts`. */
type Timeouts = Readonly<Record<string, string>>;

export const TIMEOUTS: Timeouts = {
	handshake: "5s",
	// Longer than the good client waits: on a busy machine it is late, and nothing else.
	connect: "5s",
	idle: "10s",
	stall: "3s",
	half_closed: "3s",
	drain: "1s",
};

/** The same as `handshake`, so that one deadline says when an attacker must be gone. */
const REQUEST_TIMEOUTS: Timeouts = { request_head: "5s", keep_alive: "5s" };

/** Where attackers do all that they should: no deadline is so short that a busy machine would meet it. */
export const PATIENT: Timeouts = {
	handshake: "1m",
	connect: "1m",
	idle: "1m",
	stall: "1m",
	half_closed: "1m",
	request_head: "1m",
	keep_alive: "1m",
};

/** Signing with RSA is ten times as dear to the gateway as with ECDSA. */
const RSA_BITS = 2048;

export function timeoutsLine(timeouts: Timeouts): string {
	const entries = Object.entries(timeouts).map(([key, value]) => `${key}: ${value}`);
	return `timeouts: { ${entries.join(", ")} }`;
}

/** Connections go by the name in a hello or a request: the good client's, and `others`, whose hellos name them. */
export function relayConfig(
	ports: DrillPorts,
	{ main }: ListenerAddresses,
	changed: Timeouts = {},
	others: readonly ("bulk" | "silent")[] = [],
): string {
	return `
${timeoutsLine({ ...TIMEOUTS, ...changed })}
listeners:
  - listen: ${main}
    backlog: 4096
    routes:
${others.map((name) => `      - { sni: ${NAMES[name]}, to: ${name} }\n`).join("")}      - { sni: ${NAMES.good}, to: tls }
      - { host: ${NAMES.good}, to: http }
upstreams:
${others.map((name) => `  ${name}: 127.0.0.1:${ports[name]}\n`).join("")}  tls: 127.0.0.1:${ports.tls}
  http: 127.0.0.1:${ports.http}
`;
}

/** Requests go by their host to `http:` upstreams. Pools are emptied soon, because a drill ends by counting descriptors. */
export function webConfig(
	{ web, webForAttackers }: DrillPorts,
	{ main }: ListenerAddresses,
	changed: Timeouts = {},
	{ attackersRoute = '{ host: "*.drill.test", to: attackers }', listenerLines = "" } = {},
): string {
	return `
${timeoutsLine({ ...TIMEOUTS, ...REQUEST_TIMEOUTS, ...changed })}
listeners:
  - listen: ${main}
    backlog: 4096
${listenerLines}    routes:
      - { host: good.drill.test, to: web }
      - ${attackersRoute}
upstreams:
  web: { http: "http://127.0.0.1:${web}", pool: { idle: 1s } }
  attackers: { http: "http://127.0.0.1:${webForAttackers}", pool: { idle: 1s } }
`;
}

/** The same behind TLS, with a certificate of its own. */
export function tlsConfig(ports: DrillPorts, listeners: ListenerAddresses, changed: Timeouts = {}): string {
	const { certFile, keyFile } = certificateFor(NAMES.good);
	const listenerLines = `    tls: [{ names: ["*"], cert: "${certFile}", key: "${keyFile}" }]\n`;
	return webConfig(ports, listeners, changed, { listenerLines });
}

/** On one listener: requests in the open, TLS that is terminated, and hellos that are passed on. */
export function mixedConfig(
	{ web, webForAttackers, any }: DrillPorts,
	{ main }: ListenerAddresses,
	connections: number,
): string {
	const { certFile, keyFile } = certificateFor(NAMES.secure, { keys: rsaKeys(RSA_BITS) });
	return `
# One reactor, so that all of them meet in its queues.
reactors: 1
limits: { connections: ${connections} }
${timeoutsLine({ ...TIMEOUTS, ...PATIENT })}
listeners:
  - listen: ${main}
    backlog: 4096
    tls: [{ names: [${NAMES.secure}], cert: "${certFile}", key: "${keyFile}" }]
    routes:
      - { sni: ${NAMES.relayed}, to: relayed }
      - { host: ${NAMES.good}, to: web }
      - { host: "*.drill.test", to: attackers }
upstreams:
  relayed: 127.0.0.1:${any}
  web: { http: "http://127.0.0.1:${web}", pool: { idle: 1s } }
  attackers: { http: "http://127.0.0.1:${webForAttackers}", pool: { idle: 1s } }
`;
}

export function certificateFor(commonName: string, options: Partial<Issue> = {}): CertificateFiles {
	return writeCertificate(join(temporaryDirectory(), commonName), issue({ commonName, ...options }));
}
