/**
 * What a service manager is told, as a unit of `Type=notify` has it (sd_notify(3)): ready, reloading, stopping, and while its watchdog
 * waits for it, that the gateway lives. Without `NOTIFY_SOCKET` nobody is told.
 */
import type { Gateway, Supervisor } from "../gateway/gateway.js";
import { NotifySocket } from "../kernel/notify-socket.js";

/** Of what is said once, and found no room in the manager's socket: tried again so often. */
const AGAIN_MS = 100;

/** A status is one line, and shown behind the unit's name. */
const STATUS_LENGTH_MAX = 200;

/** What the end itself may take, beyond the sessions'. The process needs two seconds at most. */
const END_MS = 5_000;

/** A gateway that is to be looked after. */
type Watched = Pick<Gateway, "sessions" | "listeners" | "live">;

export class ServiceManager implements Supervisor {
	readonly #socket: NotifySocket | undefined;
	/** Why it cannot be told. */
	readonly error: Error | undefined;
	/** Within which it must hear of us; 0: it does not wait for that. */
	readonly #watchdogMs: number;
	readonly #unsent: string[] = [];
	#gateway: Watched | undefined;
	#reloads = 0;
	#isStopping = false;
	#trouble = "";
	#isBeating = false;
	#again: NodeJS.Timeout | undefined;

	/** Takes what a manager has said to this process out of its environment: it is not meant for programs that are started from here. */
	constructor(environment: NodeJS.ProcessEnv = process.env) {
		const { NOTIFY_SOCKET: name, WATCHDOG_USEC: within, WATCHDOG_PID: pid } = environment;
		for (const each of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete environment[each];
		const isMeant = pid === undefined || Number(pid) === process.pid;
		const withinMs = Number(within ?? 0) / 1_000;
		this.#watchdogMs = isMeant && withinMs > 0 && Number.isFinite(withinMs) ? withinMs : 0;
		try {
			if (name !== undefined && name !== "") this.#socket = new NotifySocket(name);
		} catch (error) {
			this.error = error as Error;
		}
	}

	/** All listeners take connections. From now on the watchdog is fed. */
	ready(gateway: Watched): void {
		if (this.#socket === undefined) return;
		this.#gateway = gateway;
		this.#say("READY=1", `MAINPID=${process.pid}`, this.#status());
		if (this.#watchdogMs > 0) setInterval(() => void this.#beat(), this.#watchdogMs / 2).unref();
	}

	reloading(): void {
		if (this.#isStopping) return;
		this.#reloads++;
		// On the clock that the manager compares it with: an answer to an earlier request is told from that to a later one.
		const now = process.hrtime.bigint() / 1_000n;
		this.#say("RELOADING=1", `MONOTONIC_USEC=${now}`, "STATUS=reloading");
	}

	reloaded(error?: Error): void {
		this.#reloads = Math.max(0, this.#reloads - 1);
		this.#trouble = error === undefined ? "" : `; the last reload changed nothing: ${firstLine(error)}`;
		if (this.#reloads === 0 && !this.#isStopping) this.#say("READY=1", this.#status());
	}

	stopping(withinMs: number): void {
		this.#isStopping = true;
		this.#say("STOPPING=1", `EXTEND_TIMEOUT_USEC=${(withinMs + END_MS) * 1_000}`, this.#status());
	}

	/** Both planes must answer: this timer is the main thread's, and each reactor says that it takes its turns. */
	async #beat(): Promise<void> {
		if (this.#isBeating) return;
		this.#isBeating = true;
		try {
			if (!this.#isStopping) await this.#gateway?.live();
			this.#trySend(`WATCHDOG=1\n${this.#status()}`);
		} catch {
			// One that is stuck is what the watchdog is for.
		} finally {
			this.#isBeating = false;
		}
	}

	#status(): string {
		const { listeners = [], sessions = 0 } = this.#gateway ?? {};
		const state = this.#isStopping ? "draining" : counted(listeners.length, "listener");
		return `STATUS=${state}, ${counted(sessions, "session")}${this.#trouble}`.slice(0, STATUS_LENGTH_MAX);
	}

	/** What must arrive, in its order. */
	#say(...lines: string[]): void {
		this.#unsent.push(lines.join("\n"));
		this.#flush();
	}

	#flush(): void {
		clearTimeout(this.#again);
		for (let text = this.#unsent[0]; text !== undefined; text = this.#unsent[0]) {
			if (!this.#trySend(text)) {
				this.#again = setTimeout(() => this.#flush(), AGAIN_MS).unref();
				return;
			}
			this.#unsent.shift();
		}
	}

	/** False: there is no room for it now. What can never be sent is given up: a gateway is worth more than what is said of it. */
	#trySend(text: string): boolean {
		try {
			return this.#socket?.send(text) ?? true;
		} catch {
			return true;
		}
	}
}

function counted(count: number, what: string): string {
	return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function firstLine({ message }: Error): string {
	return message.split("\n", 1)[0] ?? "";
}
