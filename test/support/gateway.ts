/** A gateway as operators run it: a process of its own, started by the command line, observed from outside. */
import { writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { MAIN, portIn } from "../../src/rig/gateway.js";
import { descriptorsOf, difference } from "./descriptors.js";
import { Metrics } from "./metrics.js";
import { Child } from "./processes.js";
import type { Scenario } from "./scenario.js";
import { Changes, eventually } from "./waiting.js";

export interface LogLine {
	readonly level: string;
	readonly time: string;
	readonly message: string;
	// What else stands in lines that tests look at.
	readonly listeners?: readonly string[];
	readonly admin?: string | null;
	readonly sessions?: number;
	readonly address?: string;
	readonly error?: string;
	readonly problems?: readonly string[];
}

/** The line that each session leaves. */
export interface SessionLine {
	readonly id: number;
	readonly listener: string;
	readonly route: string | null;
	readonly protocol: string;
	readonly name: string | null;
	readonly source: string;
	readonly upstream: string | null;
	readonly address: string | null;
	readonly accepted: string;
	readonly recognized: string | null;
	readonly connected: string | null;
	readonly closed: string;
	readonly bytes_from_client: number;
	readonly bytes_to_client: number;
	readonly tls_error?: string;
	readonly reason: string;
}

export interface GatewayOptions {
	/** A command that runs the one behind it, such as `sh -c 'ulimit -n 300; exec "$@"' -`. */
	readonly through?: readonly string[];
}

/**
 * Starts a gateway and waits for its "ready" line. At the end of the scenario it must hold exactly the
 * descriptors that it held when it was ready, and end with status 0 on SIGTERM.
 *
 * `yaml` is its configuration; an admin port is added unless it names one.
 */
export async function startGateway(
	scenario: Scenario,
	yaml: string,
	options: GatewayOptions = {},
): Promise<Gateway> {
	const gateway = new Gateway(join(scenario.directory, "sluice.yaml"), yaml, options);
	scenario.defer(async () => {
		if (scenario.failed) {
			for (const line of gateway.tail()) scenario.context.diagnostic(line);
			await gateway.child.stop("SIGKILL");
		} else if (!gateway.exitWaitedFor) {
			try {
				await gateway.settled();
				await gateway.stop();
			} catch (error) {
				await gateway.child.stop("SIGKILL");
				throw error;
			}
		}
	});
	await gateway.ready();
	return gateway;
}

export class Gateway {
	readonly child: Child;
	readonly log: LogLine[] = [];
	readonly #file: string;
	readonly #changes = new Changes();
	#rest = "";
	#admin = 0;
	#ports: number[] = [];
	#baseline: readonly string[] = [];

	/** The test has waited for its end itself. */
	exitWaitedFor = false;

	constructor(file: string, yaml: string, { through = [] }: GatewayOptions) {
		this.#file = file;
		this.write(yaml);
		const [command = "", ...args] = [...through, process.execPath, MAIN, "run", "-c", file];
		this.child = new Child(command, args);
		this.child.process.stdout?.on("data", (text: string) => this.#take(text));
		this.child.process.once("close", () => this.#changes.announce());
	}

	get pid(): number {
		return this.child.pid;
	}

	/** Port of the n-th listener of the configuration it started with. */
	port(listener = 0): number {
		const port = this.#ports[listener];
		if (port === undefined) throw new Error(`there is no listener ${listener}`);
		return port;
	}

	get adminPort(): number {
		return this.#admin;
	}

	#take(text: string): void {
		const lines = (this.#rest + text).split("\n");
		this.#rest = lines.pop() ?? "";
		for (const line of lines) this.log.push(JSON.parse(line) as LogLine);
		this.#changes.announce();
	}

	/** Waits for the line that says so, and learns the ports from it. */
	async ready(): Promise<void> {
		const line = await this.logged((candidate) => candidate.message === "ready");
		this.#ports = (line.listeners ?? []).map(portIn);
		this.#admin = portIn(String(line.admin));
		this.#baseline = this.descriptors();
	}

	/** Waits for a line of the log, of those from `from` on. */
	logged(matches: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
		return this.#changes.until(
			() => {
				const line = this.log.slice(from).find(matches);
				if (line === undefined && this.child.ended) throw new Error(`the gateway ended:\n${this.#said()}`);
				return line;
			},
			() => `the gateway did not log what was waited for:\n${this.#said()}`,
		);
	}

	/** Lines of the sessions that have ended, in the order in which they were accepted. */
	get ended(): SessionLine[] {
		const lines = this.log.filter((line) => line.message === "session") as unknown as SessionLine[];
		// Reactors write their lines independently of each other.
		return lines.sort((a, b) => Date.parse(a.accepted) - Date.parse(b.accepted));
	}

	/** Waits until at least so many sessions have ended, and returns the lines of all that have. */
	sessions(count: number): Promise<SessionLine[]> {
		return this.#changes.until(
			() => (this.ended.length >= count ? this.ended : undefined),
			() => `${count} sessions did not end:\n${this.#said()}`,
		);
	}

	/** Waits until a session like that has ended. */
	session(matches: (session: SessionLine) => boolean): Promise<SessionLine> {
		return this.#changes.until(
			() => this.ended.find(matches),
			() => `the session that was waited for did not end:\n${this.#said()}`,
		);
	}

	/** Waits until the session of this client has ended. */
	sessionOf({ name }: { readonly name: string }): Promise<SessionLine> {
		return this.session(({ source }) => source === name);
	}

	/** Waits for the only session that there was. */
	async onlySession(): Promise<SessionLine> {
		const [session, ...others] = await this.sessions(1);
		if (session === undefined || others.length > 0) throw new Error(`not one session:\n${this.#said()}`);
		return session;
	}

	/** Waits until its first listener refuses connections. */
	async refuses(): Promise<void> {
		await eventually(
			() =>
				new Promise<true | undefined>((resolve) => {
					const socket = connect(this.port(), "127.0.0.1");
					socket.once("connect", () => {
						socket.destroy();
						resolve(undefined);
					});
					socket.once("error", () => resolve(true));
				}),
			() => "it still accepts connections",
		);
	}

	async metrics(): Promise<Metrics> {
		return new Metrics((await this.admin("/metrics")).body);
	}

	/** Waits until a figure, summed over its labels, is as it should be. */
	async metricIs(
		name: string,
		holds: (value: number) => boolean,
		labels: Readonly<Record<string, string>> = {},
	): Promise<number> {
		let value = Number.NaN;
		return eventually(
			async () => {
				value = (await this.metrics()).sum(name, labels);
				return holds(value) ? value : undefined;
			},
			() => `${name} is ${value}\n${this.#said()}`,
		);
	}

	/** Asks the admin port. The connection is closed afterwards, because it is a descriptor of the gateway. */
	admin(path: string): Promise<{ status: number; body: string }> {
		return new Promise((resolve, reject) => {
			const request = get({ port: this.#admin, path, agent: false }, (response) => {
				let body = "";
				response.setEncoding("utf8").on("data", (text: string) => {
					body += text;
				});
				response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
			});
			request.on("error", reject);
		});
	}

	/** Replaces the configuration file; the gateway learns of it by `hangUp`. */
	write(yaml: string): void {
		writeFileSync(this.#file, /^admin:/m.test(yaml) ? yaml : `admin: 127.0.0.1:0\n${yaml}`);
	}

	/** Sends SIGHUP, and waits for the line that says what became of it: "reloaded" or "not reloaded…". */
	async hangUp(): Promise<LogLine> {
		const from = this.log.length;
		this.child.signal("SIGHUP");
		return this.logged(({ message }) => /^(not )?reloaded/.test(message), from);
	}

	/** What its descriptors are. */
	descriptors(): string[] {
		return descriptorsOf(this.pid);
	}

	/** From now on, the descriptors that it holds now count as its own: listeners came or went by a reload. */
	rebase(): void {
		this.#baseline = this.descriptors();
	}

	/**
	 * Waits until it holds exactly the descriptors of the baseline, each the same file. Only empty pipes for
	 * splicing may have come, which reactors keep for the next bulk, and idle upstream connections:
	 * `sluice_pipes_open` and `sluice_pool_idle` say how many there are; a pipe is two descriptors, a connection
	 * is one, no more and no fewer. Whatever was borrowed has been returned by then, and no TLS session is left but
	 * those of pooled connections.
	 */
	async settled(): Promise<void> {
		let problem = "";
		await eventually(
			async () => {
				const metrics = await this.metrics();
				const pipes = metrics.sum("sluice_pipes_open");
				const idle = metrics.sum("sluice_pool_idle");
				problem = difference(this.#baseline, this.descriptors(), 2 * pipes, idle);
				const out = metrics.sum("sluice_pool_active");
				const secured = metrics.sum("sluice_tls_sessions");
				if (problem === "" && secured > idle) problem = `${secured} TLS sessions, and only ${idle} pooled`;
				if (problem === "" && out !== 0) problem = `${out} connections of pools are still borrowed`;
				return problem === "" ? true : undefined;
			},
			() => `descriptors are not what they were: ${problem}\n${this.#said()}`,
			10_000,
		);
	}

	/** Waits until it has ended, and returns its exit status. */
	exit(): Promise<number | null> {
		this.exitWaitedFor = true;
		return this.child.exited;
	}

	/** Sends SIGTERM and checks that it ends well, with nothing on standard error. */
	async stop(): Promise<void> {
		await this.child.stop("SIGTERM");
		const status = await this.exit();
		if (status !== 0) throw new Error(`the gateway ended with ${String(status)}:\n${this.#said()}`);
		if (this.child.stderr !== "") throw new Error(`the gateway complained:\n${this.child.stderr}`);
	}

	/** The last lines it wrote, for whoever reads about a failure. */
	tail(): string[] {
		return this.child.output.trimEnd().split("\n").slice(-15);
	}

	#said(): string {
		return this.tail().join("\n");
	}
}
