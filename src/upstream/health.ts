/** Active health checks: each address is probed at an interval, from the main thread. */
import type { Socket } from "node:net";
import { isOurOwn, Standing } from "../parts/standing.js";
import { type Probed, probe } from "./probe.js";

export interface CheckedAddress extends Probed {
	/** Place on the board. */
	readonly board: number;
	/** For the log. */
	readonly label: string;
}

export interface HealthEvents {
	/** An address went down or came up: put it on the board and say so. */
	changed(address: CheckedAddress, down: boolean, error: Error | undefined): void;
	/** An address that was down is checked no longer: nothing is known against it, nor for it. */
	forgotten(address: CheckedAddress): void;
	/** A check opened a connection, which closes within its timeout. */
	opened?(socket: Socket): void;
}

interface Check {
	address: CheckedAddress;
	readonly standing: Standing;
	timer: NodeJS.Timeout | undefined;
	cancel: () => void;
}

export class HealthChecks {
	readonly #events: HealthEvents;
	readonly #checks = new Map<number, Check>();

	constructor(events: HealthEvents) {
		this.#events = events;
	}

	/** Checks exactly these addresses from now on. One that is checked already goes on where it stands. */
	follow(addresses: readonly CheckedAddress[]): void {
		const wanted = new Map(addresses.map((address) => [address.board, address]));
		for (const [board, check] of this.#checks) {
			// Places are given away: whoever has this one now may be another.
			if (wanted.get(board)?.label === check.address.label) continue;
			this.#stop(check);
			if (check.standing.isDown) this.#events.forgotten(check.address);
		}
		for (const [board, address] of wanted) {
			const known = this.#checks.get(board);
			if (known !== undefined) {
				known.address = address;
				continue;
			}
			const check: Check = { address, standing: new Standing(), timer: undefined, cancel: () => {} };
			this.#checks.set(board, check);
			this.#run(check);
		}
	}

	close(): void {
		for (const check of this.#checks.values()) this.#stop(check);
		this.#checks.clear();
	}

	#run(check: Check): void {
		check.cancel = probe(
			check.address,
			(socket) => this.#events.opened?.(socket),
			(error) => {
				if (!isOurOwn(error)) this.#take(check, error);
				// What was told may have ended it.
				if (this.#checks.get(check.address.board) !== check) return;
				check.timer = setTimeout(() => this.#run(check), check.address.health.intervalMs);
				check.timer.unref();
			},
		);
	}

	#take({ address, standing }: Check, error: Error | undefined): void {
		if (standing.take(error === undefined, address.health))
			this.#events.changed(address, standing.isDown, error);
	}

	#stop(check: Check): void {
		clearTimeout(check.timer);
		this.#checks.delete(check.address.board);
		check.cancel();
	}
}
