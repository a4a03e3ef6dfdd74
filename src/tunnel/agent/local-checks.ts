/** The checks of all local services that an agent was told to look at, and what is told of them. */
import type { Report } from "./events.js";
import type { Figures } from "./figures.js";
import { type Checked, LocalCheck } from "./local-check.js";
import type { TunnelSettings } from "./settings.js";
import type { Tunnel } from "./tunnel.js";

export interface LocalChecksWorld {
	readonly report: Report;
	readonly figures: Figures;
	readonly random: () => number;
	/** What is known of this tunnel's service is news: for the first time, or because it went down or came up. */
	told(tunnel: Tunnel): void;
}

export class LocalChecks {
	readonly #world: LocalChecksWorld;
	readonly #checks = new Map<Tunnel, LocalCheck>();

	constructor(world: LocalChecksWorld) {
		this.#world = world;
	}

	/** Checks the services of these tunnels from now on. One that is checked already, in the same way, goes on where it stands. */
	follow(tunnels: readonly Tunnel[]): void {
		for (const [tunnel, check] of [...this.#checks]) {
			const wanted = tunnels.includes(tunnel) ? checkedOf(tunnel.settings) : undefined;
			if (wanted !== undefined && same(wanted, check.checked)) continue;
			check.stop();
			this.#checks.delete(tunnel);
			this.#world.figures.localUp.delete(tunnel.name);
			// It is taken for up where nobody looks.
			if (wanted === undefined && tunnels.includes(tunnel)) this.#world.told(tunnel);
		}
		for (const tunnel of tunnels) {
			const checked = checkedOf(tunnel.settings);
			if (checked !== undefined && !this.#checks.has(tunnel)) this.#begin(tunnel, checked);
		}
	}

	/** Its service has been looked at, or is not looked at at all. */
	isKnown(tunnel: Tunnel): boolean {
		return this.#checks.get(tunnel)?.isKnown ?? true;
	}

	/** What is wrong with its service; nothing: it is up. */
	whyDown(tunnel: Tunnel): string | undefined {
		return this.#checks.get(tunnel)?.whyDown;
	}

	/** A visitor has not reached its service: it is looked at now. */
	hurry(tunnel: Tunnel): void {
		this.#checks.get(tunnel)?.hurry();
	}

	stop(): void {
		for (const check of this.#checks.values()) check.stop();
	}

	#begin(tunnel: Tunnel, checked: Checked): void {
		const { figures, report, random, told } = this.#world;
		const { name } = tunnel;
		let wasDown = false;
		const check = new LocalCheck(
			checked,
			{
				checked: (isGood) => figures.localChecked(name, isGood),
				found: (why) => {
					figures.localUp.set(name, why === undefined);
					const facts = { tunnel: name, local: checked.local.text };
					if (why !== undefined) report({ event: "local_down", ...facts, why });
					else if (wasDown) report({ event: "local_up", ...facts });
					wasDown = why !== undefined;
					told(tunnel);
				},
			},
			random,
		);
		this.#checks.set(tunnel, check);
	}
}

function checkedOf({ local, hostHeader, localCheck }: TunnelSettings): Checked | undefined {
	if (localCheck === undefined) return undefined;
	return { local, localCheck, ...(hostHeader === undefined ? {} : { hostHeader }) };
}

function same(one: Checked, other: Checked): boolean {
	const of = ({ local, hostHeader, localCheck }: Checked): string =>
		JSON.stringify([local, hostHeader, localCheck]);
	return of(one) === of(other);
}
