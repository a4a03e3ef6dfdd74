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
	/** Why these are fewer than the drill's; `null`: they are not. */
	readonly fewer: string | null;
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
	const asked = plan.connections ?? drill.defaults.connections;
	const most = mostOf(drill, given.target !== undefined, machine);
	const makesDo = drill.makesDo === true && given.connections === undefined && most.count < asked;
	const connections = makesDo
		? most.count
		: wholeNumber("--connections", given.connections, asked, drill.most?.connections ?? IN_TURN_MAX);
	if (drill.connectionsInTurn !== true && connections > most.count)
		throw new DrillUsageError(`--connections ${connections}: ${most.reason(connections)}`);
	const target = given.target === undefined ? null : readTarget(given.target);
	const ownAlone = OWN_ALONE[listener];
	if (target !== null && ownAlone !== undefined)
		throw new DrillUsageError(
			`--target ${given.target}: ${name} has a gateway of its own only, because ${ownAlone}; leave out --target`,
		);
	if (target !== null && drill.ownNamespace === true)
		throw new DrillUsageError(
			`--target ${given.target}: ${name} has a gateway of its own only, because all of it is in a network namespace of its own; leave out --target`,
		);
	if (given.guarded === true && drill.comparedWith !== undefined)
		throw new DrillUsageError(
			`--guarded: ${name} compares the gateway with itself ${drill.comparedWith}; guard stands behind the handshake`,
		);
	for (const option of ["bare", "guarded"] as const) {
		if (given[option] !== true) continue;
		if (target !== null)
			throw new DrillUsageError(
				`--${option} compares with the drill's own gateway; without --target it has one, with --target it has none`,
			);
		const lack = PLAIN_SERVERS_LACK[listener];
		if (lack !== undefined)
			throw new DrillUsageError(
				`--${option}: there is no plain server that ${lack}; leave out --listener ${listener}`,
			);
		const unguarded = UNGUARDED[listener];
		if (unguarded !== undefined && option === "guarded") throw new DrillUsageError(`--guarded: ${unguarded}`);
	}
	return {
		drill,
		listener,
		plan,
		target,
		connections,
		fewer: makesDo ? most.reason(asked) : null,
		seconds: wholeNumber(
			"--seconds",
			given.seconds,
			drill.defaults.seconds,
			drill.most?.seconds ?? SECONDS_MAX,
		),
		json: given.json ?? false,
		svg: given.svg === undefined ? null : writable(given.svg),
		bare: given.bare ?? (drill.compares === true && target === null),
		guarded: given.guarded ?? false,
	};
}

/** What no plain Node server does. */
const PLAIN_SERVERS_LACK: Partial<Record<ListenerKind, string>> = {
	tls: "terminates TLS",
	agents: "has agents",
};

/** Why no other's gateway can be attacked. */
const OWN_ALONE: Partial<Record<ListenerKind, string>> = {
	udp: "no answer of another's listener for datagrams could be told from a wrong one",
	hub: "it publishes to channels of its own, and holds what came against what was counted of them",
};

/** What guard does not stand before. */
const UNGUARDED: Partial<Record<ListenerKind, string>> = {
	udp: "guard stands before servers of connections; datagrams have none",
	hub: "guard bounds who asks a server; for what is sent to subscribers the library has outboxes (docs/library/outbox.md)",
};

/** Why few drills have an attack on it. */
const FEW_ATTACK: Partial<Record<ListenerKind, string>> = {
	agents: "the port of agents is attacked by slowloris, hold and garbage alone",
	udp: "datagrams are for udp-flood and udp-expire alone",
	hub: "subscribers are for slow-subscriber alone",
};

/** Without a wish, the first kind that the drill has an attack for. */
function choosePlan(drill: Drill, wish: string | undefined): { listener: ListenerKind; plan: Plan } {
	const reasons: string[] = [];
	for (const listener of LISTENER_KINDS) {
		if (wish !== undefined && wish !== listener) continue;
		const plan = drill.on[listener];
		if (typeof plan === "object") return { listener, plan };
		reasons.push(plan ?? FEW_ATTACK[listener] ?? "");
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

interface Most {
	readonly count: number;
	/** Why no more, of whoever asks for so many. */
	reason(connections: number): string;
}

/** Connections that this machine has enough for: rather an error with the sum than an attack that stops half-way. */
function mostOf(drill: Drill, given: boolean, machine: Machine): Most {
	const ports = mostByPorts(machine);
	const descriptors = mostByDescriptors(drill, given, machine);
	return {
		count: Math.min(ports.count, descriptors.count),
		reason: (connections) => (connections > ports.count ? ports : descriptors).reason(connections),
	};
}

function mostByPorts({ ephemeralPorts: { first, last } }: Machine): Most {
	const count = last - first + 1 - PORTS_BESIDES;
	return {
		count,
		reason: () =>
			`each needs a port, and of the ephemeral ports ${first} to ${last} (net.ipv4.ip_local_port_range) ${count} remain when ${PORTS_BESIDES} are left to others`,
	};
}

function mostByDescriptors(drill: Drill, given: boolean, { descriptors }: Machine): Most {
	// A session of the gateway has two descriptors; of another's target, or one with a limit of its own, only the attackers' count.
	const isAttackers = given || drill.descriptorLimit !== undefined;
	const each = isAttackers ? 1 : (drill.descriptorsEach ?? 2);
	const who = isAttackers
		? "the attackers need a descriptor for each"
		: `the gateway needs ${each === 1 ? "a descriptor" : "two descriptors"} for each`;
	const count = Math.floor((descriptors - DESCRIPTORS_BESIDES) / each);
	return {
		count,
		reason: (connections) =>
			`${who} and ${DESCRIPTORS_BESIDES} besides, ${connections * each + DESCRIPTORS_BESIDES} in all, and a process may have ${descriptors} here (ulimit -n); at most ${count}`,
	};
}
