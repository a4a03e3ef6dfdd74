/** From the command line to a drill that can be run, or to a sentence that says why not. */
import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { didYouMean } from "../config/nearest.js";
import { type Drill, LISTENER_KINDS, type ListenerKind, type Plan } from "./drill.js";
import { DRILLS } from "./drills/index.js";
import { isLoopback, parseIpv4 } from "./loopback.js";

/** The command line, as it was written. */
export interface DrillArguments {
	readonly target?: string;
	readonly listener?: string;
	readonly connections?: string;
	readonly seconds?: string;
	readonly json?: boolean;
	readonly svg?: string;
	readonly bare?: boolean;
	readonly guarded?: boolean;
}

export interface DrillOptions {
	readonly drill: Drill;
	readonly listener: ListenerKind;
	/** The drill's, for that kind of listener. */
	readonly plan: Plan;
	readonly target: { readonly address: string; readonly port: number } | null;
	readonly connections: number;
	readonly seconds: number;
	readonly json: boolean;
	/** File to write the chart to. */
	readonly svg: string | null;
	readonly bare: boolean;
	/** The same server as `bare`, with `guard` before it. */
	readonly guarded: boolean;
}

/** What this machine gives to one process. */
export interface Machine {
	readonly descriptors: number;
	readonly ephemeralPorts: { readonly first: number; readonly last: number };
}

/** What was asked for cannot be done; the message says why, and what could be. */
export class DrillUsageError extends Error {
	override readonly name = "DrillUsageError";
}

/** What a process of the drill has open besides its connections, and the gateway's `limits.fd_reserve`. */
const DESCRIPTORS_BESIDES = 128;

/** Ephemeral ports left to the good client and to everybody else on this machine. */
const PORTS_BESIDES = 1000;

/** Longer drills are not drills. */
const SECONDS_MAX = 3600;

/** Counted sessions in turn: bounded by time alone. */
const IN_TURN_MAX = 100_000_000;

export function readOptions(name: string, given: DrillArguments, machine: Machine): DrillOptions {
	const drill = DRILLS.find((candidate) => candidate.name === name);
	if (drill === undefined) {
		const names = DRILLS.map((each) => each.name);
		throw new DrillUsageError(
			`there is no drill "${name}"${didYouMean(name, names)}; there are: ${names.join(", ")}`,
		);
	}
	const { listener, plan } = choosePlan(drill, given.listener);
	const connections = wholeNumber(
		"--connections",
		given.connections,
		plan.connections ?? drill.defaults.connections,
		IN_TURN_MAX,
	);
	if (drill.connectionsInTurn !== true)
		refuseTooMany(drill, connections, given.target !== undefined, machine);
	const target = given.target === undefined ? null : readTarget(given.target);
	for (const option of ["bare", "guarded"] as const) {
		if (given[option] !== true) continue;
		if (target !== null)
			throw new DrillUsageError(
				`--${option} compares with the drill's own gateway; without --target it has one, with --target it has none`,
			);
		if (listener === "tls" || listener === "agents")
			throw new DrillUsageError(
				`--${option}: there is no plain server that ${listener === "tls" ? "terminates TLS" : "has agents"}; leave out --listener ${listener}`,
			);
	}
	return {
		drill,
		listener,
		plan,
		target,
		connections,
		seconds: wholeNumber("--seconds", given.seconds, drill.defaults.seconds, SECONDS_MAX),
		json: given.json ?? false,
		svg: given.svg === undefined ? null : writable(given.svg),
		bare: given.bare ?? false,
		guarded: given.guarded ?? false,
	};
}

/** Without a wish, the first kind that the drill has an attack for. */
function choosePlan(drill: Drill, wish: string | undefined): { listener: ListenerKind; plan: Plan } {
	const reasons: string[] = [];
	for (const listener of LISTENER_KINDS) {
		if (wish !== undefined && wish !== listener) continue;
		const plan = drill.on[listener];
		if (typeof plan === "object") return { listener, plan };
		reasons.push(plan ?? "the port of agents is attacked by slowloris, hold and garbage alone");
	}
	if (wish !== undefined && reasons.length === 0)
		throw new DrillUsageError(
			`--listener ${wish}: there are ${LISTENER_KINDS.join(", ")}${didYouMean(wish, LISTENER_KINDS)}`,
		);
	throw new DrillUsageError(`there is no drill ${drill.name} of ${wish} listeners: ${reasons.join("; ")}`);
}

function wholeNumber(option: string, text: string | undefined, otherwise: number, max: number): number {
	if (text === undefined) return otherwise;
	const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
	if (!(value >= 1 && value <= max))
		throw new DrillUsageError(`${option} ${text}: not a whole number from 1 to ${max}`);
	return value;
}

function readTarget(text: string): { address: string; port: number } {
	const found = /^([^:]+):(\d{1,5})$/.exec(text);
	const [, host = "", port = ""] = found ?? [];
	const address = host === "localhost" ? "127.0.0.1" : host;
	let bytes: Uint8Array;
	try {
		bytes = parseIpv4(address);
	} catch {
		throw new DrillUsageError(
			`--target ${text}: not an IPv4 address and a port; drills attack only this machine, such as 127.0.0.1:8443`,
		);
	}
	if (!isLoopback(bytes))
		throw new DrillUsageError(
			`--target ${text}: refused, because it is not a loopback address (127.0.0.0/8); a drill is an attack, and it attacks only the machine it runs on`,
		);
	const number = Number(port);
	if (!(number >= 1 && number <= 65_535))
		throw new DrillUsageError(`--target ${text}: a port is a number from 1 to 65535`);
	return { address, port: number };
}

/** Known before the drill and not after it, when its report would be lost. */
function writable(file: string): string {
	try {
		accessSync(dirname(resolve(file)), constants.W_OK);
	} catch (error) {
		throw new DrillUsageError(`--svg ${file}: ${(error as Error).message}`);
	}
	return file;
}

/** Rather an error with the sum than an attack that stops half-way. */
function refuseTooMany(drill: Drill, connections: number, given: boolean, machine: Machine): void {
	const ports = machine.ephemeralPorts.last - machine.ephemeralPorts.first + 1 - PORTS_BESIDES;
	if (connections > ports)
		throw new DrillUsageError(
			`--connections ${connections}: each needs a port, and of the ephemeral ports ${machine.ephemeralPorts.first} to ${machine.ephemeralPorts.last} (net.ipv4.ip_local_port_range) ${ports} remain when ${PORTS_BESIDES} are left to others`,
		);
	// A session of the gateway has two descriptors; of another's target, or one with a limit of its own, only the attackers' count.
	const each = given || drill.descriptorLimit !== undefined ? 1 : 2;
	const needed = connections * each + DESCRIPTORS_BESIDES;
	if (needed <= machine.descriptors) return;
	const most = Math.floor((machine.descriptors - DESCRIPTORS_BESIDES) / each);
	const who =
		each === 2 ? "the gateway needs two descriptors for each" : "the attackers need a descriptor for each";
	throw new DrillUsageError(
		`--connections ${connections}: ${who} and ${DESCRIPTORS_BESIDES} besides, ${needed} in all, and a process may have ${machine.descriptors} here (ulimit -n); at most ${most}`,
	);
}
