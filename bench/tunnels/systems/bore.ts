import { versionOf } from "../../systems/version.js";
import { type TunnelSystem, WAYS } from "../system.js";

/** Its clients know no other. */
const CONTROL_PORT = 7835;

export const bore: TunnelSystem = {
	id: "bore",
	note: "its defaults: in the open, no pool, an agent for each port",
	version: () => versionOf("bore", ["--version"], /(\d+\.\d+\.\d+)/),
	install: "cargo install --locked bore-cli@0.6.0, and its directory on the PATH",
	cannot: { parked: "it parks no lines" },
	manner: "port",
	agentsPort: CONTROL_PORT,

	prepare({ listen, to }) {
		const ports = Object.values(listen).map(Number);
		const range = ["--min-port", String(Math.min(...ports)), "--max-port", String(Math.max(...ports))];
		const agents = WAYS.map((way) => ({
			command: "bore",
			args: ["local", String(to[way]), "--local-host", "127.0.0.1", "--to", "127.0.0.1"].concat([
				...["--port", String(listen[way])],
			]),
		}));
		return {
			gateway: { command: "bore", args: ["server", ...range, "--bind-addr", "127.0.0.1"] },
			agents,
		};
	},
};
