import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { versionOf } from "../../systems/version.js";
import { type Assignment, type Ends, type TunnelSystem, WAYS } from "../system.js";

const common = {
	version: () => versionOf("rathole", ["--version"], /(\d+\.\d+\.\d+)/),
	install: "cargo install rathole@0.5.0, and its directory on the PATH",
	cannot: { parked: "it has 8 lines for each service, and cannot be told another number" },
	manner: "port",
} as const;

export const rathole: TunnelSystem = {
	...common,
	id: "rathole",
	note: "its defaults: TCP in the open, no delay, a pool of 8 connections per service",
	prepare: (assignment) => prepare(assignment, null),
};

/** By the ratio of the two it is seen how much the rounds of a row can tell. */
export const ratholeAgain: TunnelSystem = {
	...rathole,
	id: "rathole-again",
	note: "a second instance of the same, to see how far the machine's weather alone moves a ratio",
};

export const ratholeNoise: TunnelSystem = {
	...common,
	id: "rathole-noise",
	note: "the same with noise (Noise_NK_25519_ChaChaPoly_BLAKE2s, its default)",
	prepare: (assignment) => prepare(assignment, newKeys()),
};

interface Keys {
	readonly privateKey: string;
	readonly publicKey: string;
}

function newKeys(): Keys {
	const { stdout } = spawnSync("rathole", ["--genkey"], { encoding: "utf8", timeout: 5_000 });
	const [privateKey, publicKey] = stdout.match(/^[A-Za-z0-9+/]{43}=$/gm) ?? [];
	if (privateKey === undefined || publicKey === undefined)
		throw new Error(`rathole --genkey does not print two keys: ${stdout}`);
	return { privateKey, publicKey };
}

function prepare({ agents, listen, to, directory }: Assignment, keys: Keys | null): Ends {
	const services = (end: "server" | "client", line: (way: (typeof WAYS)[number]) => string): string =>
		WAYS.map((way) => `[${end}.services.${way}]\n${line(way)}\n`).join("\n");
	const noise = (end: "server" | "client", line: string): string =>
		keys === null ? "" : `[${end}.transport]\ntype = "noise"\n[${end}.transport.noise]\n${line}\n`;
	const serverFile = join(directory, "server.toml");
	const clientFile = join(directory, "client.toml");
	writeFileSync(
		serverFile,
		`[server]
bind_addr = "127.0.0.1:${agents}"
default_token = "bench"
${noise("server", `local_private_key = "${keys?.privateKey}"`)}
${services("server", (way) => `bind_addr = "127.0.0.1:${listen[way]}"`)}`,
	);
	writeFileSync(
		clientFile,
		`[client]
remote_addr = "127.0.0.1:${agents}"
default_token = "bench"
${noise("client", `remote_public_key = "${keys?.publicKey}"`)}
${services("client", (way) => `local_addr = "127.0.0.1:${to[way]}"`)}`,
	);
	return {
		gateway: { command: "rathole", args: ["--server", serverFile] },
		agents: [{ command: "rathole", args: ["--client", clientFile] }],
	};
}
