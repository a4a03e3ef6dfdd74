/** Child processes of tests: real clients, real servers and the gateway itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { type Program, pathOf } from "./needs.js";
import type { Scenario } from "./scenario.js";
import { Changes, eventually, PATIENCE_MS } from "./waiting.js";

export interface SpawnOptions {
	readonly env?: Readonly<Record<string, string>>;
	readonly directory?: string;
	/** Open ones that it is given, as its descriptors from 3 on. */
	readonly descriptors?: readonly number[];
}

export interface Outcome {
	/** Exit status; `null` when a signal ended it. */
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
	/** Both, as they came. */
	readonly output: string;
}

/** A process that runs beside the test. */
export class Child {
	readonly process: ChildProcess;
	readonly pid: number;
	readonly exited: Promise<number | null>;
	stdout = "";
	stderr = "";
	output = "";
	ended = false;
	readonly #name: string;
	readonly #changes = new Changes();

	constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
		this.#name = [command, ...args].join(" ");
		this.process = spawn(command, args, {
			stdio: ["pipe", "pipe", "pipe", ...(options.descriptors ?? [])],
			env: { ...cleanEnvironment(), ...options.env },
			cwd: options.directory,
		});
		running.add(this.process);
		this.pid = this.process.pid ?? -1;
		this.exited = new Promise((resolve, reject) => {
			this.process.once("error", reject);
			// "close" and not "exit": all output has been read by then.
			this.process.once("close", (status) => {
				this.ended = true;
				running.delete(this.process);
				this.#changes.announce();
				resolve(status);
			});
		});
		// A program that was never waited for must not end the test process.
		this.exited.catch(() => {});
		// A client that leaves early must not end the test process either.
		this.process.stdin?.on("error", () => {});
		this.process.stdout?.setEncoding("utf8").on("data", (text: string) => this.#take("stdout", text));
		this.process.stderr?.setEncoding("utf8").on("data", (text: string) => this.#take("stderr", text));
	}

	#take(stream: "stdout" | "stderr", text: string): void {
		this[stream] += text;
		this.output += text;
		this.#changes.announce();
	}

	/** Waits until its output matches, and returns the match. */
	async printed(pattern: RegExp): Promise<RegExpExecArray> {
		const match = await this.#changes.until(
			() => pattern.exec(this.output) ?? (this.ended ? null : undefined),
			() => `${String(pattern)} from ${this.#name}, which said:\n${this.output}`,
		);
		if (match !== null) return match;
		throw new Error(`${this.#name} ended without printing ${String(pattern)}:\n${this.output}`);
	}

	/** Sends a signal to exactly this process. */
	signal(signal: NodeJS.Signals): void {
		if (!this.ended) this.process.kill(signal);
	}

	/** Ends it, and waits until it has gone. */
	async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
		if (this.ended) return;
		this.signal(signal);
		const late = setTimeout(() => this.signal("SIGKILL"), PATIENCE_MS / 2);
		await this.exited.catch(() => {});
		clearTimeout(late);
	}
}

/** Starts a program that ends with the scenario. */
export function start(
	scenario: Scenario,
	program: Program | { readonly path: string },
	args: readonly string[],
	options: SpawnOptions = {},
): Child {
	const path = typeof program === "object" ? program.path : (pathOf(program) ?? program);
	const child = new Child(path, args, options);
	scenario.defer(() => child.stop());
	return child;
}

/** Runs a program to its end. Throws when it takes too long, and never because of its status. */
export async function run(
	program: Program | "sh" | { readonly path: string },
	args: readonly string[],
	options: SpawnOptions & { readonly input?: string } = {},
): Promise<Outcome> {
	const path = typeof program === "object" ? program.path : program === "sh" ? program : pathOf(program);
	const child = new Child(path ?? String(program), args, options);
	child.process.stdin?.end(options.input ?? "");
	let overdue = false;
	const timer = setTimeout(() => {
		overdue = true;
		child.signal("SIGKILL");
	}, PATIENCE_MS);
	const status = await child.exited.finally(() => clearTimeout(timer));
	const { stdout, stderr, output } = child;
	if (overdue) throw new Error(`${path} ${args.join(" ")} took longer than ${PATIENCE_MS} ms:\n${output}`);
	return { status, stdout, stderr, output };
}

/** For servers that do not say when they are ready: waits until a connection is accepted. */
export async function accepting(port: number, host: string, server: Child): Promise<void> {
	await eventually(
		async () => {
			if (server.ended) throw new Error(`it ended instead of listening:\n${server.output}`);
			return (await connects(port, host)) ? true : undefined;
		},
		() => `nothing listens on ${host}:${port}:\n${server.output}`,
	);
}

function connects(port: number, host: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(port, host);
		socket.once("connect", () => {
			socket.destroy();
			resolve(true);
		});
		socket.once("error", () => resolve(false));
	});
}

/** The environment without what would lead clients elsewhere or change what they print. */
function cleanEnvironment(): Record<string, string | undefined> {
	const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, NODE_V8_COVERAGE: ___, ...environment } = process.env;
	for (const name of Object.keys(environment)) if (/_proxy$/i.test(name)) delete environment[name];
	return { ...environment, LC_ALL: "C" };
}

const running = new Set<ChildProcess>();

// The runner may end this process in the middle of a test; what it started must not stay behind.
process.on("exit", () => {
	for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));
