/** What `sluice tunnel` was asked for: flags, or a file with the same names. */
import { X509Certificate } from "node:crypto";
import { dirname, resolve } from "node:path";
import { ConfigError, InvalidValue, type Problem } from "../../config/errors.js";
import { explainIssue } from "../../config/explain.js";
import { inOrder, readConfigFile } from "../../config/load.js";
import { didYouMean } from "../../config/nearest.js";
import { readFileWithin } from "../../config/read-file.js";
import { type Path, readSource } from "../../config/source.js";
import { ProxyError, proxyFor } from "../../tunnel/agent/http-proxy.js";
import {
	AGENT_DEFAULTS,
	AGENT_KEYS,
	agentSchema,
	CHECK_KEYS,
	checkWritten,
	isKind,
	TUNNEL_KEYS,
	tunnelSettings,
	type Written,
} from "../../tunnel/agent/schema.js";
import type { AgentSettings } from "../../tunnel/agent/settings.js";
import { type Identity, readToken, TokenError } from "../../tunnel/keys.js";

/** As the command line gives them: flags of one tunnel, or the file of many. */
export interface TunnelFlags {
	readonly config?: string;
	readonly name?: string;
	readonly gateway?: string;
	readonly tokenFile?: string;
	readonly ca?: string;
	readonly fingerprint?: string;
	readonly insecure?: boolean;
	readonly drain?: string;
	readonly retryMax?: string;
	readonly admin?: string;
	readonly nodeStreams?: boolean;
	readonly inspect?: string;
	readonly inspectRequests?: string;
	readonly port?: string;
	readonly plain?: boolean;
	readonly hostHeader?: string;
	readonly proxyProtocol?: boolean;
	readonly localCheck?: string | true;
	readonly basicAuth?: readonly string[];
	readonly allow?: readonly string[];
	readonly connections?: string;
	readonly bytesPerSecond?: string;
}

export interface Asked {
	readonly settings: AgentSettings;
	readonly admin: { readonly host: string; readonly port: number } | undefined;
	/** Bytes are moved by Node's streams, also where a reactor could. */
	readonly nodeStreams: boolean;
	readonly inspect: { readonly host: string; readonly port: number; readonly requests: number } | undefined;
}

/** The flags, or what they name, cannot be followed. The message is for people, and may have several lines. */
export class ArgumentsError extends Error {
	override readonly name = "ArgumentsError";
}

/** A bundle of all authorities there are has some 250 KiB. */
const PEM_MAX_BYTES = 4 * 1_048_576;
const TOKEN_MAX_BYTES = 4_096;

const OF_TUNNEL = ["name", "port", "plain", "hostHeader", "proxyProtocol", "localCheck"] as const;
const LIMITS = ["allow", "connections", "bytesPerSecond"] as const;
const OF_AGENT = [
	"gateway",
	"tokenFile",
	"ca",
	"fingerprint",
	"insecure",
	"drain",
	"retryMax",
	"admin",
	"nodeStreams",
	"inspect",
	"inspectRequests",
] as const;

/** @throws ArgumentsError, ConfigError, ConfigFileError */
export function readFlags(kind: string, local: string | undefined, flags: TunnelFlags): Asked {
	if (!isKind(kind))
		throw new ArgumentsError(
			`"${kind}" is no kind of tunnel: sluice tunnel http 3000, tcp 22, tls 8443, udp 53 or quic 443`,
		);
	if (local === undefined)
		throw new ArgumentsError(
			`where is the local service? sluice tunnel ${kind} 3000, or HOST:PORT; for http, tcp and tls also unix:/path`,
		);
	const tunnel = {
		...{ [kind]: numbered(local), ...snaked(flags, [...OF_TUNNEL, ...LIMITS]) },
		...(flags.basicAuth === undefined ? {} : { basic_auth: passwordsOf(flags.basicAuth) }),
	};
	const result = agentSchema.safeParse({ ...snaked(flags, OF_AGENT), tunnels: [tunnel] });
	if (!result.success) {
		const lines = result.error.issues.map(({ path, message }) => `${flagOf(path)}: ${message}`);
		throw new ArgumentsError([...new Set(lines)].join("\n"));
	}
	const problems: string[] = [];
	checkWritten(result.data, (path, message) => problems.push(`${flagOf(path)}: ${message}`));
	if (problems.length > 0) throw new ArgumentsError(problems.join("\n"));
	return complete(result.data, process.cwd());
}

/** `hostHeader` → `host_header`, of what was given. */
function snaked(flags: TunnelFlags, names: readonly (keyof TunnelFlags)[]): Record<string, unknown> {
	const given = names.filter((name) => flags[name] !== undefined);
	return Object.fromEntries(
		given.map((name) => [
			name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
			numbered(flags[name]),
		]),
	);
}

/** `alice:pw1_…`, as often as there are names. */
function passwordsOf(entries: readonly string[]): Record<string, string> {
	return Object.fromEntries(
		entries.map((entry) => {
			const colon = entry.indexOf(":");
			return colon < 0 ? [entry, ""] : [entry.slice(0, colon), entry.slice(colon + 1)];
		}),
	);
}

/** What stands as a number in a file is a text here. */
function numbered(value: unknown): unknown {
	return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
}

function flagOf(path: readonly PropertyKey[]): string {
	const [first, , third] = path;
	const key = String(first === "tunnels" ? (third ?? "tunnel") : first);
	return isKind(key) || key === "tunnel" ? `sluice tunnel ${key}` : `--${key.replaceAll("_", "-")}`;
}

/** @throws ArgumentsError, ConfigError, ConfigFileError */
export function readTunnelsFile(file: string, again: boolean): Asked {
	const baseDir = dirname(resolve(file));
	const source = readSource(readConfigFile(file, !again), file, { env: process.env, baseDir });
	const problems: Problem[] = [...source.problems];
	if (source.value === undefined) throw new ConfigError(inOrder(problems));
	if (source.value === null) {
		problems.push(source.problem([], 'the file is empty: write at least "gateway" and "tunnels"'));
		throw new ConfigError(inOrder(problems));
	}
	const note = (problem: Problem): void => {
		if (!source.isEcho(problem)) problems.push(problem);
	};
	const result = agentSchema.safeParse(source.value);
	for (const issue of result.error?.issues ?? []) explainIssue(issue, source, unknownKey).forEach(note);
	if (result.success) checkWritten(result.data, (path, message) => note(source.problem(path, message)));
	if (!result.success || problems.length > 0) throw new ConfigError(inOrder(problems));
	return complete(result.data, baseDir);
}

function unknownKey(key: string, path: Path): string {
	const known = path.length === 0 ? AGENT_KEYS : path.at(-1) === "local_check" ? CHECK_KEYS : TUNNEL_KEYS;
	return `unknown key "${key}"${didYouMean(key, known) || `; known here: ${known.join(", ")}`}`;
}

/** What the values name is read. */
function complete(written: Written, baseDir: string): Asked {
	const { node_streams = false } = written;
	const { gateway, ca, fingerprint, insecure = false, drain, retry_max, admin, inspect, tunnels } = written;
	const file = written.token_file === undefined ? undefined : resolve(baseDir, written.token_file);
	const trust = {
		...(ca === undefined ? {} : { ca: readAuthorities(resolve(baseDir, ca)) }),
		...(fingerprint === undefined ? {} : { fingerprint }),
	};
	return {
		settings: {
			...{ gateway, trust, insecure, identity: readIdentity(file) },
			// Nobody is between here and this machine.
			proxy: insecure ? undefined : readProxy(gateway),
			tunnels: tunnels.map(tunnelSettings),
			...{ drainMs: drain ?? AGENT_DEFAULTS.drainMs, retryMaxMs: retry_max ?? AGENT_DEFAULTS.retryMaxMs },
		},
		admin:
			admin?.kind === "ip" ? { host: admin.host === "*" ? "::" : admin.host, port: admin.port } : undefined,
		nodeStreams: node_streams,
		inspect:
			inspect?.kind === "ip"
				? {
						host: inspect.host,
						port: inspect.port,
						requests: written.inspect_requests ?? AGENT_DEFAULTS.inspectRequests,
					}
				: undefined,
	};
}

function readIdentity(file: string | undefined): Identity {
	const { SLUICE_TOKEN } = process.env;
	if (file === undefined && (SLUICE_TOKEN === undefined || SLUICE_TOKEN === ""))
		throw new ArgumentsError(
			"no token: put it into SLUICE_TOKEN, or into a file that --token-file names (sluice token new ID makes one)",
		);
	try {
		return readToken(file === undefined ? (SLUICE_TOKEN ?? "") : readNamed(file, TOKEN_MAX_BYTES));
	} catch (error) {
		if (!(error instanceof TokenError)) throw error;
		throw new ArgumentsError(`${file ?? "SLUICE_TOKEN"}: ${error.message}`);
	}
}

function readAuthorities(file: string): string {
	const text = readNamed(file, PEM_MAX_BYTES);
	try {
		new X509Certificate(text);
	} catch {
		throw new ArgumentsError(`${file}: no certificate (PEM) is in it`);
	}
	return text;
}

function readNamed(file: string, maxBytes: number): string {
	try {
		return readFileWithin(file, { maxBytes, pipes: false }).toString("utf8");
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		throw new ArgumentsError(`${file}: ${code === "ENOENT" ? "no such file" : message}`);
	}
}

function readProxy(gateway: AgentSettings["gateway"]): AgentSettings["proxy"] {
	try {
		return proxyFor(gateway, process.env);
	} catch (error) {
		if (error instanceof ProxyError || error instanceof InvalidValue) throw new ArgumentsError(error.message);
		throw error;
	}
}
