import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newToken, readToken } from "../../../src/tunnel/keys.js";
import { HOST, SNI_NAMES } from "../../load/wire.js";
import { mainOf, OWN_DIST, versionIn } from "../../systems/sluice.js";
import { SESSIONS_MAX, THREADS } from "../../systems/system.js";
import type { Assignment, Ends, Manner, RunningTunnel, TunnelSystem } from "../system.js";
import { WAYS } from "../system.js";
import { nameOf } from "../visitors.js";

/** The domain of all names here. */
const DOMAIN = HOST.slice(HOST.indexOf(".") + 1);
const AGENT = "bench";

interface Variant {
	readonly id: string;
	readonly note: string;
	readonly manner: Manner;
	readonly cannot: TunnelSystem["cannot"];
	/** The agent's `tunnels`, an entry a line. */
	tunnels(assignment: Assignment): string[];
}

const VARIANTS: readonly Variant[] = [
	{ ...tcp(true), id: "plain", note: "tcp, lines in the open" },
	{ ...tcp(false), id: "tls", note: "tcp, lines through TLS 1.3" },
	{
		id: "http",
		note: "http: visitors in the open, requests read and routed one by one, lines through TLS 1.3",
		manner: "host",
		cannot: { bulk: "the bulk backend speaks no HTTP" },
		tunnels: ({ to }) => [`{ name: ${labelOf(HOST)}, http: "127.0.0.1:${to.relay}" }`],
	},
	{
		id: "passthrough",
		note: "tls: visitors by the name in their ClientHello, lines in the open; new visitors say a ClientHello and are answered 16 bytes",
		manner: "hello",
		cannot: { latency: "visitors would have to say who they want first" },
		tunnels: ({ to }) => WAYS.map((way) => `{ name: ${labelOf(nameOf(way))}, tls: "127.0.0.1:${to[way]}" }`),
	},
];

function tcp(isPlain: boolean): Pick<Variant, "manner" | "cannot" | "tunnels"> {
	return {
		manner: "port",
		cannot: {},
		tunnels: ({ listen, to }) =>
			WAYS.map(
				(way) => `{ name: ${way}, tcp: "127.0.0.1:${to[way]}", port: ${listen[way]}, plain: ${isPlain} }`,
			),
	};
}

function labelOf(name: string): string {
	return name.slice(0, name.indexOf("."));
}

export const [sluicePlain, sluiceTls, sluiceHttp, sluicePassthrough] = checkoutOf("sluice", OWN_DIST) as [
	TunnelSystem,
	TunnelSystem,
	TunnelSystem,
	TunnelSystem,
];

/** Those of another checkout, each with the id of the one that it is the older of. */
export function sluiceTunnelsBefore(dist: string): { readonly of: string; readonly older: TunnelSystem }[] {
	const ids = checkoutOf("sluice", dist).map(({ id }) => id);
	return checkoutOf("sluice-before", dist).map((older, i) => ({ of: ids[i] ?? "", older }));
}

function checkoutOf(prefix: string, dist: string): TunnelSystem[] {
	return VARIANTS.map((variant) => ({
		id: `${prefix}-${variant.id}`,
		note: `${variant.note}; ${THREADS} reactors, session log off, the agent's lines of log to a file`,
		version: () => (existsSync(mainOf(dist)) ? versionIn(dist) : null),
		install: "npm run build",
		...{ manner: variant.manner, cannot: variant.cannot },
		prepare: (assignment) => prepare(variant, assignment, dist),
		park,
	}));
}

function prepare(variant: Variant, assignment: Assignment, dist: string): Ends {
	const { directory, agents, certificate } = assignment;
	const token = newToken(AGENT);
	writeFileSync(join(directory, "token"), token, { mode: 0o600 });
	const key = Buffer.from(readToken(token).publicKey).toString("base64url");
	writeFileSync(gatewayFile(assignment), gatewayYaml(variant.manner, assignment, key));
	const { fingerprint256 } = new X509Certificate(readFileSync(certificate.certFile));
	const tunnelsFile = join(directory, "tunnels.yaml");
	writeFileSync(
		tunnelsFile,
		`
gateway: 127.0.0.1:${agents}
token_file: token
fingerprint: "${fingerprint256}"
tunnels:
${variant
	.tunnels(assignment)
	.map((tunnel) => `  - ${tunnel}`)
	.join("\n")}
`,
	);
	const program = (args: readonly string[]) => ({
		command: process.execPath,
		args: [mainOf(dist), ...args],
	});
	return {
		gateway: program(["run", "-c", gatewayFile(assignment)]),
		agents: [program(["tunnel", "-c", tunnelsFile])],
	};
}

function gatewayFile({ directory }: Assignment): string {
	return join(directory, "sluice.yaml");
}

function gatewayYaml(manner: Manner, { agents, listen, certificate }: Assignment, key: string): string {
	const ports = Object.values(listen);
	const route = { host: `host: "*.${DOMAIN}"`, hello: `sni: "*.${DOMAIN}"` };
	const listeners =
		manner === "port"
			? // For nobody: an older checkout, beside which this one is measured, wants a listener.
				"listeners: [{ listen: 127.0.0.1:0, routes: [{ to: reject }] }]"
			: `listeners:
  - listen: 127.0.0.1:${listen.relay}
    routes: [{ ${route[manner]}, to: tunnels }]`;
	return `
reactors: ${THREADS}
limits: { connections: ${SESSIONS_MAX}, requests_per_connection: 1000000000 }
timeouts: { idle: 10m, drain: 1s }
log: { sessions: false }
tunnels:
  listen: 127.0.0.1:${agents}
  tls: { cert: ${certificate.certFile}, key: ${certificate.keyFile} }
  domain: ${DOMAIN}
  ${manner === "port" ? `ports: ${Math.min(...ports)}-${Math.max(...ports)}` : ""}
  agents: [{ id: ${AGENT}, public_key: "${key}", names: [${NAMES.join(", ")}] }]
${listeners}
`;
}

const NAMES = [...WAYS, ...[HOST, ...SNI_NAMES].map(labelOf)].filter(
	(name, i, all) => all.indexOf(name) === i,
);

function park({ assignment, gateway }: RunningTunnel, lines: number): void {
	const file = gatewayFile(assignment);
	const before = readFileSync(file, "utf8");
	writeFileSync(file, before.replace(/^tunnels:$/m, `tunnels:\n  lines: ${lines}\n  lines_max: ${lines}`));
	process.kill(gateway.pid, "SIGHUP");
}
