import { versionOf } from "../../systems/version.js";
import { type TunnelSystem, WAYS } from "../system.js";

export const chisel: TunnelSystem = {
	id: "chisel",
	note: "its defaults: SSH in a WebSocket, all visitors through one connection",
	version: () => versionOf("chisel", ["--version"], /(\d+\.\d+\.\d+)/),
	install: "chisel from https://github.com/jpillora/chisel/releases on the PATH",
	cannot: { parked: "it parks no lines" },
	manner: "port",

	prepare: ({ agents, listen, to }) => ({
		gateway: {
			command: "chisel",
			args: ["server", "--host", "127.0.0.1", "--port", String(agents), "--reverse"],
		},
		agents: [
			{
				command: "chisel",
				args: [
					...["client", `127.0.0.1:${agents}`],
					...WAYS.map((way) => `R:127.0.0.1:${listen[way]}:127.0.0.1:${to[way]}`),
				],
			},
		],
	}),
};
