/** The gateway of drills whose listeners read requests: each goes by its host to an `http:` upstream. */
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { makeCertificate } from "./certificate.js";
import type { ListenerAddresses } from "./drill.js";
import { temporaryDirectory } from "./processes.js";
import type { Target } from "./target.js";
import { NAMES } from "./traffic.js";
import type { DrillPorts } from "./upstream-ports.js";

/** Of requests: the same as `handshake`, so that one deadline says when an attacker must be gone. */
const TIMEOUTS: Readonly<Record<string, string>> = {
	handshake: "5s",
	request_head: "5s",
	keep_alive: "5s",
	connect: "2s",
	idle: "10s",
	stall: "3s",
	half_closed: "3s",
	drain: "1s",
};

/** `changed`: keys under `timeouts`. Pools are emptied soon, because a drill ends by counting descriptors. */
export function webConfig(
	{ web, webForAttackers }: DrillPorts,
	{ main }: ListenerAddresses,
	changed: Readonly<Record<string, string>> = {},
	{ attackersRoute = '{ host: "*.drill.test", to: attackers }', listenerLines = "" } = {},
): string {
	const timeouts = Object.entries({ ...TIMEOUTS, ...changed }).map(([key, value]) => `${key}: ${value}`);
	return `
timeouts: { ${timeouts.join(", ")} }
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
export function tlsConfig(
	ports: DrillPorts,
	listeners: ListenerAddresses,
	changed: Readonly<Record<string, string>> = {},
): string {
	const { certFile, keyFile } = makeCertificate(temporaryDirectory(), NAMES.good);
	const listenerLines = `    tls: [{ names: ["*"], cert: "${certFile}", key: "${keyFile}" }]\n`;
	return webConfig(ports, listeners, changed, { listenerLines });
}

const ANSWER_MS = 5000;

/** How long the target's answer to a request is that ends its connection: its head is the target's own. */
export function answerBytes({ address, port }: Target, request: Uint8Array, tls = false): Promise<number> {
	return new Promise((resolve, reject) => {
		const options = { host: address, port, timeout: ANSWER_MS };
		const socket = tls
			? connectTls({ ...options, servername: NAMES.good, rejectUnauthorized: false })
			: connect(options);
		let received = 0;
		// Within TLS it waits until hands are shaken.
		socket.write(request);
		socket.on("data", (bytes: Buffer) => {
			received += bytes.length;
		});
		socket.on("end", () => {
			socket.end();
			resolve(received);
		});
		socket.on("timeout", () => socket.destroy(new Error("the target did not answer a request")));
		socket.on("error", reject);
	});
}
