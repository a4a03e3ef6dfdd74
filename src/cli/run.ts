/** `sluice run`: start, reload on SIGHUP, drain on SIGTERM. However it ends, nothing is waited for without a bound. */
import { watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { loadConfigFile } from "../config/load.js";
import type { Gateway, Supervisor } from "../gateway/gateway.js";
import { prepareThreads } from "../gateway/threads.js";
import { takeInheritedSockets } from "../kernel/inherited-sockets.js";
import { endOnFailure, endOnFault, endUnstarted } from "./end.js";
import { ServiceManager } from "./service-manager.js";
import { listenForSignals } from "./signals.js";

/** Editors write a file in several steps; the last one counts. */
const WATCH_SETTLE_MS = 200;

export async function run(file: string): Promise<void> {
	// Signals may come while it starts; they are carried out when it has started.
	const signals = listenForSignals();
	endOnFault();
	const changes = new FileChanges();
	const manager = new ServiceManager();
	const gateway = await start(file, changes, manager);
	if (manager.error !== undefined)
		gateway.log.logger.warn({ error: manager.error.message }, "the service manager cannot be told anything");
	manager.ready(gateway);

	// The log tells what has changed, and what is wrong.
	const reload = serialize(() =>
		gateway.reloadFile().then(
			() => {},
			() => {},
		),
	);
	signals.attach(gateway, reload);
	changes.attach(gateway, reload);
	await endOnFailure(gateway);
}

async function start(file: string, changes: FileChanges, supervisor: Supervisor): Promise<Gateway> {
	try {
		const inherited = takeInheritedSockets();
		const config = loadConfigFile(file);
		// Before the gateway is ready, so that no change in between goes unseen.
		if (config.watch) changes.watch(file);
		// Two things at once: the reactors' threads load their files, and this one loads the gateway's.
		prepareThreads(config);
		const { Gateway } = await import("../gateway/gateway.js");
		return await Gateway.start(config, { ownsProcess: true, supervisor, inherited });
	} catch (error) {
		return endUnstarted(error);
	}
}

/** Runs one at a time; a call during a run makes one more run after it. */
function serialize(task: () => Promise<void>): () => void {
	let running = false;
	let again = false;
	const start = async (): Promise<void> => {
		running = true;
		do {
			again = false;
			await task();
		} while (again);
		running = false;
	};
	return () => {
		if (running) again = true;
		else void start();
	};
}

/** Watches the file. Changes that are seen before somebody is attached are told then. */
class FileChanges {
	#changed: (() => void) | undefined;
	#early = false;
	#error: Error | undefined;
	#logFailure: (error: Error) => void = (error) => {
		this.#error = error;
	};

	/** The directory is watched, because editors and config maps replace the file instead of writing into it. */
	watch(file: string): void {
		const path = resolve(file);
		let timer: NodeJS.Timeout | undefined;
		const tell = (): void => {
			if (this.#changed === undefined) this.#early = true;
			else this.#changed();
		};
		// Inotify instances are few in containers. A gateway that relays is worth more than its file watch.
		try {
			watch(dirname(path), { persistent: false }, (_, name) => {
				// Kubernetes swaps a link called ..data; everything else is named.
				if (name !== basename(path) && name !== "..data") return;
				clearTimeout(timer);
				timer = setTimeout(tell, WATCH_SETTLE_MS);
			}).on("error", (error) => this.#logFailure(error));
		} catch (error) {
			this.#logFailure(error as Error);
		}
	}

	attach(gateway: Gateway, changed: () => void): void {
		this.#changed = changed;
		this.#logFailure = (error) =>
			gateway.log.logger.warn({ error: error.message }, "the file is not watched; SIGHUP still reloads it");
		if (this.#error !== undefined) this.#logFailure(this.#error);
		if (this.#early) changed();
	}
}
