/** The program slowhttptest as the attacker: its four modes, one after the other. */
import { mkdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { type OwnedProcess, ownProcess, stopProcess, temporaryDirectory } from "../rig/processes.js";
import type { Assault, AssaultReport, Scene } from "./assault.js";
import type { AttackStatus } from "./attack.js";
import { pathOf } from "./programs.js";
import { NAMES } from "./traffic.js";

interface Mode {
	/** Begins the names of its measures. */
	readonly name: string;
	readonly title: string;
	/** Besides what all have. The paths' names say to the upstream what is wanted. */
	readonly args: readonly string[];
	readonly path: string;
	/** Its connections stay until the target ends them; others end with their answers, as fast as they come. */
	readonly holds: boolean;
	/** By when the target's deadlines have ended all of them. */
	readonly goneMs: number;
}

/** Followed up every second, at most 8 bytes at a time; slow readers take 5 bytes of a window of 1 to 256. */
export const MODES: readonly Mode[] = [
	{ name: "headers", title: "slow headers", args: ["-H"], path: NAMES.good, holds: true, goneMs: 5000 },
	{
		...{ name: "body", title: "slow bodies", path: NAMES.uploads, holds: true, goneMs: 10_000 },
		args: ["-B", "-s", "8192"],
	},
	{ name: "range", title: "ranges", args: ["-R"], path: NAMES.good, holds: false, goneMs: 5000 },
	{
		...{ name: "read", title: "slow reads", path: NAMES.bulk, holds: true, goneMs: 8000 },
		args: ["-X", "-n", "1", "-z", "5", "-w", "1", "-y", "256"],
	},
];

/** All have come by then; and a probe that is not answered by then has failed. */
const RAMP_SECONDS = 2;
const PROBE_SECONDS = 3;

/** Attackers come after the target and its good client where cores are few. */
const NICE = 5;

const STOP_GRACE_MS = 1000;

/** A mode is over at its time limit, or earlier when no connection is left; this is a bound for a program that hangs. */
const OVERTIME_MS = 10_000;

/** What slowhttptest wrote about one of its seconds. */
export interface Second {
	readonly closed: number;
	readonly connected: number;
	/** Whether its probe was answered. */
	readonly available: boolean;
}

/** Its CSV: `Seconds,Closed,Pending,Connected,Service Available`, the last one a number above 0 for yes. */
export function readSeconds(csv: string): Second[] {
	return csv
		.trim()
		.split("\n")
		.slice(1)
		.map((line) => {
			const [, closed = 0, , connected = 0, available = 0] = line.split(",").map(Number);
			return { closed, connected, available: available > 0 };
		});
}

interface Outcome {
	readonly seconds: readonly Second[];
	/** Sessions that a deadline of the target ended meanwhile; slowhttptest itself does not see it of those it does not read. */
	readonly ended: number | null;
}

/** Reasons of the gateway that are deadlines of attackers. */
const DEADLINES = ["handshake_timeout", "request_timeout", "stall_timeout", "idle_timeout"];

export class SlowHttpTest implements Assault {
	readonly #scene: Scene;
	readonly #outcomes = new Map<string, Outcome>();
	#running: OwnedProcess | null = null;
	#stopped = false;
	#whole: Promise<void> | null = null;
	#resolveDone: () => void = () => {};
	#fail: (error: Error) => void = () => {};
	readonly done: Promise<void>;
	readonly failure: Promise<never>;

	constructor(scene: Scene) {
		this.#scene = scene;
		this.done = new Promise((resolve) => {
			this.#resolveDone = resolve;
		});
		this.failure = new Promise((_, reject) => {
			this.#fail = reject;
		});
		this.failure.catch(() => {});
	}

	/** It says how many are there only afterwards: until then, as many as it was asked for. */
	get status(): AttackStatus {
		const ended = [...this.#outcomes.values()].reduce(
			(sum, { seconds }) => sum + most(seconds, connectedSoFar),
			0,
		);
		const alive = this.#running === null ? 0 : this.#scene.connections;
		return { atMs: 0, opened: ended + alive, established: ended, alive, ended };
	}

	async start(): Promise<void> {
		this.#whole = this.#runAll().then(this.#resolveDone, this.#fail);
	}

	async #runAll(): Promise<void> {
		for (const mode of MODES) {
			if (this.#stopped) return;
			const before = await this.#endedByDeadlines();
			const seconds = await this.#run(mode);
			const after = await this.#endedByDeadlines();
			const ended = before === null || after === null ? null : after - before;
			this.#outcomes.set(mode.name, { seconds, ended });
		}
	}

	async #endedByDeadlines(): Promise<number | null> {
		const reasons = (await this.#scene.target.metrics())?.closedByReason;
		if (reasons === undefined) return null;
		return DEADLINES.reduce((sum, reason) => sum + (reasons[reason] ?? 0), 0);
	}

	async #run({ name, args, path }: Mode): Promise<readonly Second[]> {
		const { target, connections } = this.#scene;
		const directory = join(temporaryDirectory(), `slowhttptest-${target.port}`);
		mkdirSync(directory, { recursive: true });
		const prefix = join(directory, name);
		const rate = Math.ceil(connections / RAMP_SECONDS);
		const owned = ownProcess(
			pathOf("slowhttptest") ?? "slowhttptest",
			[
				...args,
				...["-c", String(connections), "-r", String(rate), "-i", "1", "-x", "8"],
				...["-l", String(this.#modeSeconds), "-p", String(PROBE_SECONDS)],
				...["-u", `http://${target.address}:${target.port}/${path}`, "-g", "-o", prefix, "-v", "1"],
			],
			{ stdio: "ignore", detached: true },
		);
		setPriority(owned.pid, NICE);
		this.#running = owned;
		const timer = setTimeout(
			() => void stopProcess(owned, STOP_GRACE_MS),
			this.#modeSeconds * 1000 + OVERTIME_MS,
		);
		const how = await owned.ended;
		clearTimeout(timer);
		this.#running = null;
		if (how !== "exit code 0" && !this.#stopped) throw new Error(`slowhttptest ${args[0]} ended: ${how}`);
		return this.#stopped ? [] : readSeconds(readFileSync(`${prefix}.csv`, "utf8"));
	}

	get #modeSeconds(): number {
		return Math.max(1, Math.floor(this.#scene.seconds / MODES.length));
	}

	stop(): void {
		this.#stopped = true;
		if (this.#running !== null) void stopProcess(this.#running, STOP_GRACE_MS);
	}

	async release(): Promise<AssaultReport> {
		this.stop();
		await this.#whole;
		const measures: Record<string, number | null> = {};
		let opened = 0;
		let left = 0;
		let peakMin = Number.POSITIVE_INFINITY;
		for (const { name, holds, goneMs } of MODES) {
			const { seconds, ended } = this.#outcomes.get(name) ?? { seconds: [], ended: null };
			const connected = most(seconds, connectedSoFar);
			const alivePeak = most(seconds, (second) => second.connected);
			const leftOpen = !holds || ended === null ? null : Math.max(0, connected - ended);
			opened += connected;
			left += leftOpen ?? 0;
			if (holds) peakMin = Math.min(peakMin, alivePeak);
			measures[`${name}.connected`] = connected;
			measures[`${name}.alivePeak`] = alivePeak;
			// In its first second it has not asked yet.
			measures[`${name}.unavailableSeconds`] =
				seconds.length < 2 ? null : seconds.slice(1).filter(({ available }) => !available).length;
			const judged = this.#modeSeconds >= RAMP_SECONDS + goneMs / 1000 + 1;
			measures[`${name}.left`] = judged ? leftOpen : null;
		}
		measures["heldShare"] = peakMin / this.#scene.connections;
		return {
			attackers: {
				opened,
				established: opened,
				alivePeak: Math.max(0, ...MODES.map(({ name }) => measures[`${name}.alivePeak`] ?? 0)),
				ends: { "closed by the target": opened - left, "given up": left },
				tookMs: 0,
				overdueMs: null,
				faults: [],
			},
			measures,
			notRun: [],
		};
	}

	async dispose(): Promise<void> {
		this.stop();
		await this.#whole;
	}
}

function connectedSoFar({ closed, connected }: Second): number {
	return closed + connected;
}

function most(seconds: readonly Second[], read: (second: Second) => number): number {
	return Math.max(0, ...seconds.map(read));
}
