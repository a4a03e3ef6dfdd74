/** The configuration of gateways whose datagrams are attacked. */
import type { ListenerAddresses } from "./drill.js";
import { NAMES } from "./traffic.js";
import type { DrillPorts } from "./upstream-ports.js";

/** Of sessions whose end is looked at, in the gateway as in what it is compared with. */
export const CROWD_IDLE_MS = 1000;

/** Of the good client's, which uses each that it keeps every second. */
export const GOOD_IDLE_MS = 3000;

/** Until a half of a hello is given up. */
export const HALF_TIMEOUT_MS = 5000;

/** The default of `limits.half_hellos`, written out because a drill judges it. */
export const HALF_HELLOS_MAX = 1024;

/** QUIC that asks for the good client's name goes to its upstream; with `crowd`, whatever is no QUIC to another. */
export function datagramConfig(
	{ datagrams, datagramsForAttackers }: DrillPorts,
	{ main }: ListenerAddresses,
	crowd: boolean,
): string {
	return `
limits: { half_hellos: ${HALF_HELLOS_MAX} }
timeouts: { handshake: ${HALF_TIMEOUT_MS}ms, drain: 1s }
listeners:
  - listen: ${main}/udp
    timeouts: { idle: ${GOOD_IDLE_MS}ms }
    routes:
      - { sni: ${NAMES.good}, to: good }
${crowd ? "      - { protocol: other, to: crowd }\n" : ""}upstreams:
  good: { udp: "127.0.0.1:${datagrams}" }
${crowd ? `  crowd: { udp: "127.0.0.1:${datagramsForAttackers}", timeouts: { idle: ${CROWD_IDLE_MS}ms } }\n` : ""}`;
}
