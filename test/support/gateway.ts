/**
 * Gateways as operators run them: processes of their own, started by the command line, observed from outside.
 *
 * To start and end one costs a second of CPU. So the scenarios of a file use one gateway after each other where they
 * can: it gets the next scenario's configuration by a reload.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type RequestOptions, request } from "node:http";
import { request as requestSecure } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { MAIN, portIn } from "../../src/rig/gateway.js";
import { descriptorsOf, difference } from "./descriptors.js";
import { Metrics } from "./metrics.js";
import { Child } from "./processes.js";
import type { Scenario } from "./scenario.js";
import { Changes, eventually, PATIENCE_MS } from "./waiting.js";

export interface LogLine {
	/** Of a listener. */
	readonly queues?: number;
	readonly backlog?: number;
	readonly inherited?: string;
	/** Of the service manager. */
	readonly sockets?: string;
	readonly level: string;
	readonly time: string;
	readonly message: string;
	// What else stands in lines that tests look at.
	readonly listeners?: readonly string[];
	/** Of keys of the hub. */
	readonly ended?: number;
	/** Of a reload. */
	readonly added?: readonly string[];
	readonly removed?: readonly string[];
	readonly changed?: readonly string[];
	readonly admin?: string | null;
	readonly sessions?: number;
	readonly address?: string;
	readonly error?: string;
	readonly problems?: readonly string[];
	readonly log_level?: string;
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
	/** Only where TLS was terminated. */
	readonly secured?: string;
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
	/** Open ones that it is given with `through`, as its descriptors from 3 on. */
	readonly descriptors?: readonly number[];
	/** Why it has to be a process that no other scenario has used or will use: what is looked at lasts over reloads. */
	readonly own?: string;
	/** What its admin port asks for. */
	readonly token?: string;
}

/**
 * Starts a gateway and waits for its "ready" line, or takes one that an earlier scenario of the file has left and
 * reloads it. At the end of the scenario it must hold exactly the descriptors that it held when it was ready, and at
 * its own end, with the scenario or the file, leave with status 0 on SIGTERM.
 *
 * `yaml` is its configuration; an admin port is added unless it names one.
 */
export async function startGateway(
	scenario: Scenario,
	yaml: string,
	options: GatewayOptions = {},
): Promise<Gateway> {
	const kind = options.own === undefined && options.through === undefined ? kindOf(yaml) : undefined;
	const gateway =
		idle.get(kind)?.pop() ??
		new Gateway(kind === undefined ? join(scenario.directory, "sluice.yaml") : lastingFile(), yaml, options);
	gateway.isReleased = false;
	const release = async (): Promise<void> => {
		gateway.isReleased = true;
		try {
			// That a client of datagrams has gone is not seen: what it leaves would live on for its idle time.
			if (/\/udp\b/.test(gateway.yaml)) await gateway.closedSessions(0);
			await gateway.settled();
			if (kind === undefined || gateway.rebased || kind !== kindOf(gateway.yaml)) await gateway.stop();
			else {
				await gateway.logIsWhole();
				leaveIdle(kind, gateway);
			}
		} catch (error) {
			await gateway.child.stop("SIGKILL");
			throw error;
		}
	};
	gateway.release = release;
	scenario.defer(async () => {
		if (gateway.release !== release || gateway.isReleased) return;
		if (scenario.failed) {
			for (const line of gateway.tail()) scenario.context.diagnostic(line);
			await gateway.child.stop("SIGKILL");
		} else if (!gateway.exitWaitedFor) await release();
	});
	await (gateway.isReady ? gateway.renew(yaml) : gateway.ready());
	return gateway;
}

/**
 * What a scenario's configurations leave as it is: their listeners, what only a start can change, and files that are
 * watched, which takes a descriptor.
 */
const FIXED =
	/\blisten: *[^\s,}]+|^ *(?:reactors|watch):.*|\b(?:connections|buffered_bytes|memory): *[^\s,}]+/gm;

/** Gateways of the same kind take each other's configurations; `undefined`: this one takes none. */
function kindOf(yaml: string): string | undefined {
	// Log options change what is waited for below, a relative path is the scenario's, and a port that was chosen is
	// one that somebody else will have, too.
	if (/^log:|^admin:|\bunix:(?!\/)|\blisten: *(?!["*[\]\w.:]*:0(?:\/udp)?"?[\s,}])\S/m.test(yaml))
		return undefined;
	return [...(yaml.match(FIXED) ?? []), /\b(?:cert|ca|client_ca):/.test(yaml) ? "files" : ""].join("\n");
}

/** Gateways of this test file that are between two scenarios. */
const idle = new Map<string | undefined, Gateway[]>();

function leaveIdle(kind: string, gateway: Gateway): void {
	const others = idle.get(kind);
	if (others === undefined) idle.set(kind, [gateway]);
	else others.push(gateway);
}

const directories: string[] = [];

/** For the configuration of a gateway that outlives its first scenario. */
function lastingFile(): string {
	const directory = mkdtempSync(join(tmpdir(), "sluice-e2e-"));
	directories.push(directory);
	return join(directory, "sluice.yaml");
}

after(async () => {
	const gateways = [...idle.values()].flat();
	idle.clear();
	const ends = await Promise.allSettled(gateways.map((gateway) => gateway.stop()));
	for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
	for (const end of ends) if (end.status === "rejected") throw end.reason;
});

export class Gateway {
	readonly child: Child;
	readonly log: LogLine[] = [];
	readonly #file: string;
	readonly #changes = new Changes();
	#rest = "";
	#admin: string | null | undefined;
	readonly #token: string | undefined;
	#ports: number[] = [];
	#baseline: readonly string[] = [];
	#checksHealth = false;
	#before = new Metrics([], new Map());
	/** Lines of sessions, those of earlier scenarios included. */
	#sessionLines = 0;

	/** Ends its use, as the end of the scenario does, for a scenario that needs many gateways one after the other. */
	release: () => Promise<void> = () => this.stop();
	isReleased = false;

	/** What its file holds. */
	yaml = "";

	/** Its "ready" line has been read. */
	isReady = false;

	/** Its listeners are no longer those that it started with. */
	rebased = false;

	/** The test has waited for its end itself. */
	exitWaitedFor = false;

	constructor(file: string, yaml: string, { through = [], descriptors = [], token }: GatewayOptions) {
		this.#file = file;
		this.#token = token;
		this.write(yaml);
		const [command = "", ...args] = [...through, process.execPath, MAIN, "run", "-c", file];
		this.child = new Child(command, args, { descriptors });
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
		return portIn(String(this.#admin));
	}

	/** Its configuration. */
	get file(): string {
		return this.#file;
	}

	#take(text: string): void {
		const lines = (this.#rest + text).split("\n");
		this.#rest = lines.pop() ?? "";
		for (const text of lines) {
			const line = JSON.parse(text) as LogLine;
			if (line.message === "session") this.#sessionLines++;
			this.log.push(line);
		}
		this.#changes.announce();
	}

	/** Waits for the line that says so, and learns the ports from it. */
	async ready(): Promise<void> {
		const line = await this.logged((candidate) => candidate.message === "ready");
		this.#ports = (line.listeners ?? []).map(portIn);
		this.#admin = line.admin;
		this.#baseline = this.#checksHealth ? await this.#descriptorsBetweenChecks() : this.descriptors();
		this.isReady = true;
	}

	/**
	 * Makes it the gateway of another scenario: with another configuration, an empty log, and counters that start at 0.
	 * It must hold the descriptors that it held in the first scenario, each the same file.
	 */
	async renew(yaml: string): Promise<void> {
		const earlier = this.log.length;
		this.write(yaml);
		const { message } = await this.hangUp();
		if (message !== "reloaded")
			throw new Error(`the next scenario's configuration: ${message}\n${this.#said()}`);
		const warning = this.log.find((line) => line.message === "this setting changes only with a restart");
		if (warning !== undefined) throw new Error(`kindOf() overlooks a setting:\n${JSON.stringify(warning)}`);
		await this.settled();
		this.#before = await this.#sinceStart();
		// What the new configuration has led to by now is the scenario's.
		const lines = this.log.slice(earlier).filter((line) => line.message !== "reloaded");
		this.log.splice(0, Number.POSITIVE_INFINITY, ...lines);
	}

	/** Waits until each session that has ended has its line. */
	async logIsWhole(): Promise<void> {
		const ended = (await this.#sinceStart()).sum("sluice_sessions_closed_total");
		await this.#changes.until(
			() => (this.#sessionLines >= ended ? true : undefined),
			() => `${ended} sessions have ended, and ${this.#sessionLines} have a line`,
		);
	}

	/**
	 * Its descriptors at a moment at which no check of an upstream's health has one, and no question for its metrics:
	 * the gateway closes that connection a little after it was answered, so two looks must find the same.
	 */
	#descriptorsBetweenChecks(): Promise<string[]> {
		const checks = async (): Promise<[opened: number, closed: number]> => {
			const metrics = await this.#sinceStart();
			const [opened, closed] = ["opened", "closed"].map((what) =>
				metrics.sum(`sluice_descriptors_${what}_total`, { kind: "check" }),
			);
			return [opened ?? 0, closed ?? 0];
		};
		return eventually(
			async () => {
				const [before, closed] = await checks();
				const descriptors = this.descriptors();
				const [after] = before === closed ? await checks() : [];
				const isCalm = before === after && isDeepStrictEqual(descriptors, this.descriptors());
				return isCalm ? descriptors : undefined;
			},
			() => `checks of upstreams hold descriptors all the time\n${this.#said()}`,
		);
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

	/**
	 * Closes what lives, as an operator does, and waits until at least so many sessions have ended: those of datagrams
	 * would live on for their idle time. Returns the lines of all that have ended.
	 */
	async closedSessions(count: number): Promise<SessionLine[]> {
		const { status, body } = await this.admin("/api/sessions/close?all=true", "POST");
		if (status !== 200) throw new Error(`its sessions cannot be closed: ${body}`);
		return this.sessions(count);
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

	/** Its metrics; what counts, counts from the scenario's start. */
	async metrics(): Promise<Metrics> {
		return (await this.#sinceStart()).since(this.#before);
	}

	async #sinceStart(): Promise<Metrics> {
		return Metrics.parse((await this.admin("/metrics")).body);
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
	admin(path: string, method: "GET" | "POST" = "GET"): Promise<{ status: number; body: string }> {
		const [, socketPath] = /^unix:(.*)/.exec(String(this.#admin)) ?? [];
		const options: RequestOptions = {
			...{ path, method, agent: false },
			...(socketPath === undefined ? { port: this.adminPort } : { socketPath }),
			headers: {
				...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
				...(method === "POST" ? { "sluice-operator": "a test" } : {}),
			},
		};
		const isSecure = this.#admin?.startsWith("https:") === true;
		return new Promise((resolve, reject) => {
			const ask = isSecure ? requestSecure : request;
			const asked = ask({ ...options, ...(isSecure ? { rejectUnauthorized: false } : {}) }, (response) => {
				let body = "";
				response.setEncoding("utf8").on("data", (text: string) => {
					body += text;
				});
				response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
				response.on("error", reject);
			});
			asked.on("error", reject);
			asked.end();
		});
	}

	/** Replaces the configuration file; the gateway learns of it by `hangUp`. */
	write(yaml: string): void {
		this.yaml = yaml;
		this.#checksHealth ||= /\bhealth:/.test(yaml);
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
		this.rebased = true;
	}

	/**
	 * Waits until it holds exactly the descriptors of the baseline, each the same file. Only empty pipes for
	 * splicing may have come, which reactors keep for the next bulk, and idle upstream connections:
	 * `sluice_pipes_open` and `sluice_pool_idle` say how many there are; a pipe is two descriptors, a connection
	 * is one, no more and no fewer. Whatever was borrowed has been returned by then, and no TLS session is left but
	 * those of pooled connections.
	 */
	async settled(patienceMs = PATIENCE_MS): Promise<void> {
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
			patienceMs,
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
