/**
 * The listeners that a gateway holds: opened for a configuration, carried over to the next, and closed when nobody uses them any more.
 * While reactors go from one plan to the next, those of both are open.
 */
import type { Config } from "../config/config.js";
import type { InheritedSocket } from "../kernel/inherited-sockets.js";
import { closeDescriptor } from "../kernel/sockets.js";
import { Inherited, titleOf } from "./inherited.js";
import { LeavingListeners } from "./leaving-listeners.js";
import type { Ledger } from "./ledger.js";
import { isForDatagrams, type Listeners, type OpenListener, openListeners, type Place } from "./listeners.js";
import { tellListening } from "./listening-lines.js";
import type { Logger } from "./log.js";

export interface HeldListenersOptions {
	readonly logger: Logger;
	readonly ledger: Ledger;
	/** Sessions that a listener has, by its name. */
	readonly sessionsOf: (listener: string) => number;
	/** Where this process has its admin pages. */
	readonly adminAt: () => Place | null;
	/** Those that it was given. */
	readonly inherited: readonly InheritedSocket[];
}

export class HeldListeners {
	readonly #options: HeldListenersOptions;
	readonly #leaving: LeavingListeners;
	#present: Listeners = new Map();
	#inherited: Inherited | undefined;
	/** Sockets that no listener has, as the log was told. */
	#unused = "";

	constructor(options: HeldListenersOptions) {
		this.#options = options;
		for (const { fd } of options.inherited) options.ledger.adopt("listener", fd);
		this.#leaving = new LeavingListeners(options.sessionsOf, (listener) => this.#close(listener));
	}

	/** In the order of the config that they were opened for last. */
	get present(): Listeners {
		return this.#present;
	}

	/**
	 * Opens those that are new in a config, and says how long their queues really are. Returns those of before: all of them are open until
	 * `leave` or `backTo` is told of them.
	 *
	 * @throws StartError, with nothing changed
	 */
	open(config: Config, reactors: number): Listeners {
		const { ledger, logger, adminAt } = this.#options;
		const before = this.#present;
		const leaving = new Map(this.#leaving.present);
		this.#inherited ??= new Inherited(this.#options.inherited);
		const present = new Map([...leaving, ...before]);
		this.#present = openListeners(config, present, reactors, adminAt(), this.#inherited);
		for (const [name, open] of this.#present) {
			const { fds } = open;
			if (before.get(name)?.fds === fds || fds.length === 0) continue;
			if (leaving.get(name)?.fds === fds) {
				this.#leaving.take(name);
				continue;
			}
			for (const fd of fds) ledger.adopt("listener", fd);
			tellListening(logger, open, config);
		}
		this.#tellUnused(config, this.#inherited);
		return before;
	}

	/** Clients of theirs would wait for somebody to accept them. */
	#tellUnused({ listeners }: Config, inherited: Inherited): void {
		const used = new Set(listeners.map((listener) => inherited.socketOf(listener)));
		const unused = inherited.sockets.filter((socket) => !used.has(socket));
		const named = unused.map(titleOf).join(", ");
		if (named !== this.#unused && named !== "")
			this.#options.logger.warn(
				{ sockets: named },
				"nobody accepts at sockets that the service manager holds: no listener has their address",
			);
		this.#unused = named;
	}

	/** Every reactor has taken what waited in the queues of `before`, and knows those alone that are present now. */
	leave(before: Listeners): void {
		this.#closeOnlyIn(before, this.#present);
	}

	/** No reactor has been told of others than those of `before`. */
	backTo(before: Listeners): void {
		this.#closeOnlyIn(this.#present, before);
		this.#present = before;
	}

	/** Reactors may have those of `before`, those of now or both: a socket that was closed could be another's then. */
	keepToo(before: Listeners): void {
		this.#present = new Map([...before, ...this.#present]);
	}

	/** No reactor accepts any more. Those stay whose sessions need them. */
	leaveAll(): void {
		this.backTo(new Map());
	}

	/** No reactor runs any more. */
	closeAll(): void {
		this.leaveAll();
		this.#leaving.closeAll();
		for (const { fd } of this.#options.inherited) this.#closeOne(fd);
	}

	#closeOnlyIn(these: Listeners, others: Listeners): void {
		for (const [name, listener] of these) {
			if (others.get(name)?.fds === listener.fds) continue;
			if (isForDatagrams(listener.config)) this.#leaving.add(name, listener);
			else this.#close(listener);
		}
	}

	#close({ fds }: OpenListener): void {
		for (const fd of fds) this.#closeOne(fd);
	}

	#closeOne(fd: number): void {
		this.#options.ledger.release(fd);
		closeDescriptor(fd);
	}
}
