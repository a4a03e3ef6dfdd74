/** A reactor that is not simulated, as far as lines go: it takes those that it is given, has visitors of its own, and gives lines away. */
import { NONE } from "../../../src/parts/none.js";
import type { LineNewsItem, MovedLine, Notice, ReactorCommand } from "../../../src/reactor/plan/plan.js";
import {
	RECYCLED_NOT_WANTED,
	RECYCLED_UPSTREAM_CLOSED,
} from "../../../src/reactor/records/recycle-reasons.js";
import type { World } from "../world.js";

interface Held {
	readonly line: MovedLine;
	isTaken: boolean;
}

export class OtherReactor {
	readonly number: number;
	/** Lines that it has, in their order. */
	readonly held: Held[] = [];
	/** Visitors that wait, by tunnel. */
	readonly waiting = new Map<number, number>();
	readonly commands: ReactorCommand[] = [];
	readonly #world: World;
	readonly #notify: (notice: Notice) => void;
	/** Which tunnel has an address, as its plan says. */
	readonly #tunnelAt: (address: number) => number | undefined;

	constructor(
		world: World,
		number: number,
		notify: (notice: Notice) => void,
		tunnelAt: (address: number) => number | undefined,
	) {
		this.#world = world;
		this.number = number;
		this.#notify = notify;
		this.#tunnelAt = tunnelAt;
	}

	/** Lines of a tunnel that wait here. */
	parkedOf(tunnel: number): number {
		return this.#count(tunnel, false);
	}

	usedOf(tunnel: number): number {
		return this.#count(tunnel, true);
	}

	/** Of those that are parked: they go when others come. */
	retiringOf(tunnel: number): number {
		return this.held.filter(({ line, isTaken }) => line.tunnel === tunnel && !isTaken && line.leaveMs > 0)
			.length;
	}

	#count(tunnel: number, isTaken: boolean): number {
		let count = 0;
		for (const each of this.held) if (each.line.tunnel === tunnel && each.isTaken === isTaken) count++;
		return count;
	}

	#tell(item: LineNewsItem): void {
		this.#notify({ kind: "lines", items: [item] });
	}

	/** Carries out the next command. */
	carryOut(): void {
		const command = this.commands.shift();
		if (command?.kind === "takeLine") this.#take(command.line);
		else if (command?.kind === "giveLine") this.#give(command.address, command.to);
		else if (command?.kind === "serveLine") this.#serve(command.tunnel);
	}

	#take(line: MovedLine): void {
		this.#world.lines?.outside.delete(line.fd);
		this.#world.board.lines(line.address, 1);
		this.held.push({ line, isTaken: false });
		if (this.#tunnelAt(line.address) !== line.tunnel) this.#end(this.held.length - 1, RECYCLED_NOT_WANTED);
		else this.#serve(line.tunnel);
	}

	#serve(tunnel: number): void {
		const waiting = this.waiting.get(tunnel) ?? 0;
		const free = this.held.find(({ line, isTaken }) => line.tunnel === tunnel && !isTaken);
		if (waiting === 0 || free === undefined) return;
		this.#waits(tunnel, waiting - 1);
		free.isTaken = true;
		this.#world.board.lines(free.line.address, -1);
		this.#tell({ kind: "taken", tunnel, was: free.line.leaveMs > 0 ? "retiring" : "parked" });
	}

	#waits(tunnel: number, waiting: number): void {
		if (waiting === 0) this.waiting.delete(tunnel);
		else this.waiting.set(tunnel, waiting);
		this.#tell({ kind: "waiting", tunnel, waiting });
	}

	#give(address: number, to: number): void {
		const index = this.held.findIndex(({ line, isTaken }) => line.address === address && !isTaken);
		const [given] = index < 0 ? [] : this.held.splice(index, 1);
		if (given === undefined) return;
		this.#world.board.lines(address, -1);
		this.#world.lines?.outside.add(given.line.fd);
		this.#notify({ kind: "lineGiven", to, line: given.line });
	}

	/** A line ends. */
	#end(index: number, why: number): void {
		const [ended] = this.held.splice(index, 1);
		if (ended === undefined) return;
		const { line, isTaken } = ended;
		if (!isTaken) this.#world.board.lines(line.address, -1);
		this.#world.lines?.closeOutside(line.fd, line.session);
		this.#tell({
			kind: "ended",
			tunnel: line.tunnel,
			was: isTaken ? "used" : line.leaveMs > 0 ? "retiring" : "parked",
			why: isTaken ? NONE : why,
		});
	}

	/** Its plan has no such tunnels any more: what is parked of them ends. Visitors that wait for them have ended. */
	dropOthers(): void {
		for (let index = this.held.length - 1; index >= 0; index--) {
			const { line, isTaken } = this.held[index] as Held;
			if (!isTaken && this.#tunnelAt(line.address) !== line.tunnel) this.#end(index, RECYCLED_NOT_WANTED);
		}
	}

	/** One thing that happens there. */
	act(tunnels: readonly number[]): void {
		const { random } = this.#world;
		const tunnel = tunnels[random.below(tunnels.length)];
		const draw = random.below(6);
		const index = random.below(this.held.length);
		if (draw === 0 && tunnel !== undefined) {
			// A visitor comes: it takes what is parked, or waits.
			this.#waits(tunnel, (this.waiting.get(tunnel) ?? 0) + 1);
			this.#serve(tunnel);
		} else if (draw === 1) {
			const [who] = [...this.waiting];
			if (who !== undefined) this.#waits(who[0], who[1] - 1);
		} else if (draw < 4 && this.held[index]?.isTaken === true) {
			if (random.chance(0.5)) this.#end(index, NONE);
			else {
				const { line } = this.held[index] as Held;
				(this.held[index] as Held).isTaken = false;
				this.#world.board.lines(line.address, 1);
				const isOld = line.leaveMs > 0;
				this.#tell({
					kind: isOld ? "retiring" : "returned",
					tunnel: line.tunnel,
					...(isOld ? { was: "used" } : {}),
				});
			}
		} else if (draw === 4 && this.held.length > 0 && random.chance(0.1))
			this.#end(index, this.held[index]?.isTaken === true ? NONE : RECYCLED_UPSTREAM_CLOSED);
	}

	/** Nobody comes any more, and everybody there ends. */
	finish(): void {
		for (const [tunnel] of [...this.waiting]) this.#waits(tunnel, 0);
		while (this.held.length > 0) this.#end(0, NONE);
	}
}
