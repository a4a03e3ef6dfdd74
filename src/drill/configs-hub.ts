/** The configuration of a gateway whose subscribers do not all read. */
import { TIMEOUTS, timeoutsLine } from "./configs.js";
import type { ListenerAddresses } from "./drill.js";
import { HUB_CHANNELS, OUTBOX_MESSAGES, STALL_MS } from "./hub-traffic.js";

/**
 * Little is taken for a connection beyond what is under way, so that it shows soon who does not read; and the log of messages goes round
 * within seconds, so that its memory is all in use before the attack.
 */
export function hubConfig({ main }: ListenerAddresses): string {
	const outbox = `{ messages: ${OUTBOX_MESSAGES}, bytes: 64KiB }`;
	return `
${timeoutsLine({ ...TIMEOUTS, stall: `${STALL_MS}ms` })}
sockets: { unsent: 16KiB }
hub:
  memory: 1MiB
  channels:
${HUB_CHANNELS.map(({ name, policy }) => `    - { match: ${name}, policy: ${policy}, outbox: ${outbox}, subscribe: public }\n`).join("")}listeners:
  - listen: ${main}
    backlog: 4096
    routes: [{ path: /channels/, to: hub }]
`;
}
