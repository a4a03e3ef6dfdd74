import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { versionOf } from "../../systems/version.js";
import { type Assignment, type Ends, type TunnelSystem, WAYS } from "../system.js";

const common = {
	version: () =>
		versionOf("frpc", ["--version"], /(\d+\.\d+\.\d+)/) === null
			? null
			: versionOf("frps", ["--version"], /(\d+\.\d+\.\d+)/),
	install: "frps and frpc from https://github.com/fatedier/frp/releases on the PATH",
	cannot: { parked: "how many lines it parks is set at its start" },
	manner: "port",
} as const;

export const frp: TunnelSystem = {
	...common,
	id: "frp",
	note: "its defaults: TLS, all visitors through one connection (mux)",
	prepare: (assignment) => prepare(assignment, ""),
};

const POOL = 8;

export const frpPlain: TunnelSystem = {
	...common,
	id: "frp-plain",
	note: `in the open, a connection for each visitor, a pool of ${POOL}`,
	prepare: (assignment) =>
		prepare(
			assignment,
			"transport.tcpMux = false\n",
			`transport.tls.enable = false\ntransport.poolCount = ${POOL}\n`,
			`transport.maxPoolCount = ${POOL}\n`,
		),
};

function prepare(
	{ agents, listen, to, directory }: Assignment,
	both: string,
	ofAgent = "",
	ofGateway = "",
): Ends {
	const serverFile = join(directory, "frps.toml");
	const clientFile = join(directory, "frpc.toml");
	const common = `log.level = "error"\n${both}`;
	writeFileSync(
		serverFile,
		`bindAddr = "127.0.0.1"\nbindPort = ${agents}\nproxyBindAddr = "127.0.0.1"\n${common}${ofGateway}`,
	);
	const proxies = WAYS.map(
		(way) => `
[[proxies]]
name = "${way}"
type = "tcp"
localIP = "127.0.0.1"
localPort = ${to[way]}
remotePort = ${listen[way]}
`,
	);
	writeFileSync(
		clientFile,
		`serverAddr = "127.0.0.1"\nserverPort = ${agents}\n${common}${ofAgent}${proxies.join("")}`,
	);
	return {
		gateway: { command: "frps", args: ["-c", serverFile] },
		agents: [{ command: "frpc", args: ["-c", clientFile] }],
	};
}
