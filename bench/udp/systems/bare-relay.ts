import { fileURLToPath } from "node:url";
import type { UdpSystem } from "../system.js";

export const bareRelay: UdpSystem = {
	id: "bare-relay",
	note: "100 lines on the same calls of the kernel: a socket per client, and no deadlines, routes, limits or records; single-threaded",
	install: "npm run build",
	version: () => process.version,
	cannot: { sni: "it reads nothing" },
	isBystander: true,
	prepare({ ways }) {
		const program = fileURLToPath(new URL("../bare-relay.js", import.meta.url));
		const passed = JSON.stringify(ways.map(({ listen, to }) => [listen, to]));
		return { command: process.execPath, args: [program, passed] };
	},
};
