/**
 * What passes between the reactors, which have lines, and the desk of the control plane, which counts them: proofs are judged, news is
 * told on, and a line goes from the reactor that has it to one where a visitor waits.
 *
 *     a visitor waits in 2 ──► giveLine to 1, which has some parked ──► lineGiven ──► takeLine to 2
 */
import type { LineNewsItem, Notice, ReactorCommand } from "../../reactor/plan/plan.js";
import { RECYCLE_REASONS } from "../../reactor/records/recycle-reasons.js";
import type { LineEnd, Lines } from "../../tunnel/gateway/interfaces.js";

type LineProof = Extract<Notice, { readonly kind: "lineProof" }>;
type LineGiven = Extract<Notice, { readonly kind: "lineGiven" }>;

/** Where lines of a tunnel that is open are counted. */
export interface LinePlace {
	readonly upstream: number;
	readonly address: number;
	/** They may come in the open where agents speak TLS. */
	readonly plain: boolean;
}

export interface LineTrafficOptions {
	/** Who counts lines; `undefined`: no agents may connect any more. */
	readonly desk: () => Lines | undefined;
	/** By the number of a tunnel; `undefined`: it is not open. */
	readonly placeOf: (tunnel: number) => LinePlace | undefined;
	readonly tell: (reactor: number, command: ReactorCommand) => void;
}

export class LineTraffic {
	readonly #options: LineTrafficOptions;
	/** Lines that are parked, by tunnel and reactor. */
	readonly #parked = new Map<number, Map<number, number>>();
	/** Visitors that wait, by tunnel and reactor. */
	readonly #waiting = new Map<number, Map<number, number>>();
	/** Those of them that would keep their line: they leave the last ones, so others come first. */
	readonly #lasting = new Map<number, Map<number, number>>();
	/** Agents speak TLS. */
	isSecured = false;

	constructor(options: LineTrafficOptions) {
		this.#options = options;
	}

	/** A tunnel is closed. */
	forget(tunnel: number): void {
		this.#parked.delete(tunnel);
		this.#waiting.delete(tunnel);
		this.#lasting.delete(tunnel);
	}

	/** Lines of a tunnel that are parked in a reactor, as far as news has come. */
	parkedIn(tunnel: number, reactor: number): number {
		return this.#parked.get(tunnel)?.get(reactor) ?? 0;
	}

	/** A proof has come whole. */
	judge(reactor: number, { link, generation, ticket, nonce, proof, isSecured }: LineProof): void {
		const desk = this.#options.desk();
		const owner = desk?.verify(ticket, nonce, proof);
		const found = owner === undefined ? undefined : this.#options.placeOf(owner.tunnel);
		// One in the open, of a tunnel whose lines are not.
		const isGood = found !== undefined && (found.plain || isSecured || !this.isSecured);
		if (owner !== undefined && !isGood) desk?.ended(owner.tunnel, "proving", "failed");
		const place =
			owner !== undefined && isGood
				? { upstream: found.upstream, address: found.address, tunnel: owner.tunnel }
				: null;
		this.#options.tell(reactor, { kind: "line", link, generation, place });
	}

	/** A line has left its reactor, for another one. */
	given(from: number, { to: wanted, line }: LineGiven): void {
		// Its visitor there may have gone meanwhile.
		const to = this.#whoWaits(line.tunnel, wanted) ?? wanted;
		this.#count(line.tunnel, from, -1);
		this.#count(line.tunnel, to, 1);
		this.#options.tell(to, { kind: "takeLine", line });
	}

	/** Has a canary sent through a line of this tunnel, by the reactor that has most of them. */
	sendCanary(tunnel: number, deadMs: number): void {
		const place = this.#options.placeOf(tunnel);
		const [most] = [...(this.#parked.get(tunnel) ?? [])].sort(([, a], [, b]) => b - a);
		if (place === undefined || most === undefined || most[1] === 0) return;
		this.#options.tell(most[0], { kind: "canary", address: place.address, deadMs });
	}

	/** A canary is back, and its line waits again: visitors elsewhere may have come meanwhile. */
	canaryBack(reactor: number, tunnel: number): void {
		this.#offer(tunnel, reactor);
	}

	/** What became of a line, or who waits for one. */
	news(
		reactor: number,
		{ kind, tunnel, waiting = 0, lasting = 0, was = "used", why = -1 }: LineNewsItem,
	): void {
		const desk = this.#options.desk();
		if (desk === undefined) return;
		// One that waits for its replacement is parked all the same, for whoever comes.
		if (kind === "parked" || kind === "returned" || (kind === "retiring" && was === "used")) {
			this.#count(tunnel, reactor, 1);
			this.#offer(tunnel, reactor);
		}
		const wasParked = was === "parked" || was === "retiring";
		if (kind === "taken" || (kind === "ended" && wasParked)) this.#count(tunnel, reactor, -1);
		// It may have been moved for a visitor, and was dead by then: another one is.
		if (kind === "ended" && wasParked)
			this.#fetch(tunnel, reactor, this.#waiting.get(tunnel)?.get(reactor) ?? 0);
		if (kind === "ended") desk.ended(tunnel, was, endOf(why));
		else if (kind === "waiting") this.#waits(tunnel, reactor, waiting, lasting, desk);
		else if (kind === "taken") desk.taken(tunnel, was === "retiring" ? was : "parked");
		else if (kind === "retiring") desk.retiring(tunnel, was === "used" ? was : "parked");
		else desk[kind](tunnel);
	}

	#waits(tunnel: number, reactor: number, visitors: number, lasting: number, desk: Lines): void {
		this.#fetch(tunnel, reactor, visitors);
		if (this.#options.placeOf(tunnel) === undefined) return;
		const byReactor = this.#waiting.get(tunnel) ?? new Map<number, number>();
		this.#waiting.set(tunnel, byReactor.set(reactor, visitors));
		const lastingBy = this.#lasting.get(tunnel) ?? new Map<number, number>();
		this.#lasting.set(tunnel, lastingBy.set(reactor, lasting));
		// What was kept for one who waits no more may be what another one waits for.
		if (visitors === lasting && this.parkedIn(tunnel, reactor) > 0) this.#offer(tunnel, reactor);
		desk.waiting(
			tunnel,
			[...byReactor.values()].reduce((sum, count) => sum + count, 0),
		);
	}

	#count(tunnel: number, reactor: number, more: number): void {
		if (this.#options.placeOf(tunnel) === undefined) return;
		const byReactor = this.#parked.get(tunnel) ?? new Map<number, number>();
		this.#parked.set(tunnel, byReactor.set(reactor, Math.max(0, (byReactor.get(reactor) ?? 0) + more)));
	}

	/** Visitors wait in a reactor that has no line: others have some. */
	#fetch(tunnel: number, to: number, visitors: number): void {
		const place = this.#options.placeOf(tunnel);
		if (place === undefined) return;
		let wanted = visitors;
		for (const [reactor, parked] of this.#parked.get(tunnel) ?? []) {
			if (reactor === to) continue;
			for (let left = parked; left > 0 && wanted > 0; left--, wanted--)
				this.#options.tell(reactor, { kind: "giveLine", address: place.address, to });
		}
	}

	/** A line waits in a reactor, and perhaps a visitor in another one. */
	#offer(tunnel: number, from: number): void {
		const place = this.#options.placeOf(tunnel);
		const to = this.#whoWaits(tunnel, from);
		if (place === undefined || to === undefined) return;
		const { address } = place;
		this.#options.tell(
			from,
			to === from ? { kind: "serveLine", address, tunnel } : { kind: "giveLine", address, to },
		);
	}

	/** A reactor in which visitors of a tunnel wait: `wanted`, if they do there. Those come first that need not leave the last lines. */
	#whoWaits(tunnel: number, wanted: number): number | undefined {
		const waiting = this.#waiting.get(tunnel);
		const lasting = this.#lasting.get(tunnel);
		if (waiting === undefined) return undefined;
		let found: number | undefined;
		let most = 0;
		for (const [reactor, visitors] of waiting) {
			if (visitors === 0) continue;
			const isFirst = visitors > (lasting?.get(reactor) ?? 0);
			const rank = (isFirst ? 2 : 0) + (reactor === wanted ? 1 : 0) + 1;
			if (rank <= most) continue;
			most = rank;
			found = reactor;
		}
		return found;
	}
}

/** `why`: of RECYCLE_REASONS, or -1. */
function endOf(why: number): LineEnd {
	switch (RECYCLE_REASONS[why]) {
		case "age":
			return "age";
		case "requests":
			return "requests";
		case "not_wanted":
			return "superseded";
		case "stopped":
			return "drained";
		case "upstream_closed":
		case "stale":
			return "closed";
		default:
			return "done";
	}
}
