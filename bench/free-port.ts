/** Ports that systems under test are told to listen on. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Taken upwards from here: below the range of ephemeral ports, so that no outgoing connection and no client's socket holds one. */
const FIRST_PORT = 21_000;
const LAST_PORT = 32_000;

/** Benches that run at once begin at different ones: each looks whether a port is free before a program takes it. */
let nextPort = FIRST_PORT + ((process.pid * 977) % 4_000);

export async function freePort(kind: "tcp" | "udp"): Promise<number> {
	const isFree = kind === "tcp" ? takesConnections : takesDatagrams;
	for (; nextPort <= LAST_PORT; nextPort++) if (await isFree(nextPort)) return nextPort++;
	throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** One for each of these. */
export async function freePorts<Role extends string>(
	kind: "tcp" | "udp",
	roles: readonly Role[],
): Promise<Readonly<Record<Role, number>>> {
	const ports = {} as Record<Role, number>; // filled below
	for (const role of roles) ports[role] = await freePort(kind);
	return ports;
}

function takesConnections(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const probe = createServer();
		probe.once("error", () => resolve(false));
		probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve(true)));
	});
}

function takesDatagrams(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = createSocket("udp4");
		socket.once("error", () => resolve(false));
		socket.bind(port, "127.0.0.1", () => socket.close(() => resolve(true)));
	});
}
