/** Starting a relay of datagrams, and the wait for its first answers. */
import { createSocket } from "node:dgram";
import { family } from "../../src/rig/proc.js";
import { freePorts } from "../free-port.js";
import { Start } from "../start.js";
import type { EchoPorts } from "./load/driver.js";
import { NAMES } from "./load/wire.js";
import { IDLE_S_OF, PLAIN_ROLES, ROLES, type RunningUdp, type UdpSystem } from "./system.js";

/** How long the answer to one datagram is waited for, before there is another. */
const ANSWER_MS = 20;
const RETRY_MS = 1;

/** Starts a system and waits until each of its ports that relays whatever comes has sent a datagram back. */
export async function launchUdp(
	system: UdpSystem,
	to: EchoPorts & { readonly quic: number },
): Promise<RunningUdp> {
	const start = new Start(system.id, RETRY_MS);
	const { directory } = start;
	const toOf = { ...to, brief: to.echo, held: to.echo };
	const listen = await freePorts("udp", ROLES);
	const program = system.prepare({
		...{ directory, sni: listen.sni },
		ways: PLAIN_ROLES.map((role) => ({ role, listen: listen[role], to: toOf[role], idleS: IDLE_S_OF[role] })),
		namedTo: NAMES.map((name, i) => ({ name, port: to.named[i] as number })),
	});
	const { pid } = start.run(program);
	for (const role of PLAIN_ROLES) {
		if (role === "quic") continue; // Nobody is answered there who does not ask for a name.
		await start.until(`a datagram to ${role} is sent back`, () => answers(listen[role]));
	}
	return { system, listen, pids: () => family(pid), stop: () => start.stop() };
}

/** Whether a datagram to that port is sent back. */
function answers(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = createSocket("udp4");
		const end = (answered: boolean): void => {
			clearTimeout(timer);
			socket.close(() => resolve(answered));
		};
		const timer = setTimeout(() => end(false), ANSWER_MS);
		socket.once("message", () => end(true));
		// Nobody has the port yet.
		socket.once("error", () => {});
		socket.connect(port, "127.0.0.1", () => socket.send("ready?"));
	});
}
