/**
 * Between the control plane of tunnels (`tunnel/gateway`, which knows agents and what they hold) and the reactors (which have the
 * connections): what is open becomes a plan, and news of lines goes both ways.
 */
import type { Config } from "../../config/config.js";
import { closeDescriptor, peerOf } from "../../kernel/sockets.js";
import { formatAddress } from "../../protocol/index.js";
import type { LineNewsItem, Notice } from "../../reactor/plan/plan.js";
import { RECYCLE_REASONS } from "../../reactor/records/recycle-reasons.js";
import type {
	LineEnd,
	LinesCut,
	OpenTunnel,
	TunnelControl,
	TunnelEvents,
} from "../../tunnel/gateway/interfaces.js";
import type { Board } from "../../upstream/board.js";
import type { Logger } from "../log.js";
import type { Registry } from "../plan.js";
import type { Reactors } from "../reactors.js";
import { agentLabel, upstreamName, withTunnels } from "./expand.js";

export interface TunnelsOptions {
	readonly logger: Logger;
	readonly registry: Registry;
	readonly board: Board;
	readonly reactors: Reactors;
	/** What is open has changed: has all reactors run with it, and resolves then. */
	readonly replan: () => Promise<void>;
	/** Closes all sessions that an agent has, with a reason of the closed list. */
	readonly cut: (upstream: string, address: string) => void;
}

type LineProof = Extract<Notice, { readonly kind: "lineProof" }>;

export class Tunnels implements TunnelEvents {
	readonly #options: TunnelsOptions;
	/** By number. */
	readonly #open = new Map<number, OpenTunnel>();
	/** Visitors that wait, by tunnel and reactor. */
	readonly #waiting = new Map<number, Map<number, number>>();
	#control: TunnelControl | undefined;
	#replanning: Promise<void> | undefined;

	constructor(options: TunnelsOptions) {
		this.#options = options;
	}

	/** Who decides what is open. */
	attach(control: TunnelControl): void {
		this.#control = control;
	}

	get control(): TunnelControl | undefined {
		return this.#control;
	}

	/** The configuration with what is open now. */
	expand(config: Config): Config {
		return withTunnels(config, [...this.#open.values()]);
	}

	async opened(tunnel: OpenTunnel): Promise<void> {
		this.#open.set(tunnel.number, tunnel);
		try {
			await this.#replan();
		} catch (error) {
			this.#forget(tunnel.number);
			throw error;
		}
	}

	closed(number: number, cut: LinesCut, why: string): void {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return;
		const { logger } = this.#options;
		logger.info({ tunnel: tunnel.name, agent: tunnel.identity, why }, "a tunnel is closed");
		this.#forget(number);
		void this.#replan()
			.catch((error: Error) => logger.error({ error: error.message }, "a tunnel's routes stay"))
			.finally(() => {
				if (cut === "all") this.#options.cut(upstreamName(tunnel), agentLabel(tunnel));
			});
	}

	local(number: number, up: boolean): void {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return;
		this.#options.board.setDown(this.#placeOf(tunnel).address, !up);
	}

	#forget(number: number): void {
		this.#open.delete(number);
		this.#waiting.delete(number);
	}

	/** Several changes at once are one plan. */
	#replan(): Promise<void> {
		this.#replanning ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
			this.#replanning = undefined;
			return this.#options.replan();
		});
		return this.#replanning;
	}

	#placeOf(tunnel: OpenTunnel): { readonly upstream: number; readonly address: number } {
		return this.#options.registry.placeOf(upstreamName(tunnel), agentLabel(tunnel));
	}

	/** What a reactor says. */
	heard(reactor: number, notice: Notice): void {
		if (notice.kind === "control") this.#takeControl(notice.fd, notice.isOpen);
		else if (notice.kind === "lineProof") this.#judge(reactor, notice);
		else if (notice.kind === "lines") for (const item of notice.items) this.#tell(reactor, item);
	}

	#takeControl(fd: number, inTheOpen: boolean): void {
		const control = this.#control;
		// Of an earlier configuration, whose port is about to be closed.
		if (control === undefined) {
			closeDescriptor(fd);
			return;
		}
		const peer = peerOf(fd);
		const address = peer === undefined ? "" : formatAddress(peer.bytes, 0, peer.family);
		control.accept({ fd, address, inTheOpen });
	}

	#judge(reactor: number, { link, generation, ticket, nonce, proof }: LineProof): void {
		const owner = this.#control?.lines.verify(ticket, nonce, proof);
		const tunnel = owner === undefined ? undefined : this.#open.get(owner.tunnel);
		if (owner !== undefined && tunnel === undefined)
			this.#control?.lines.ended(owner.tunnel, "proving", "failed");
		const place = tunnel === undefined ? null : { ...this.#placeOf(tunnel), tunnel: tunnel.number };
		this.#options.reactors.tellOne(reactor, { kind: "line", link, generation, place });
	}

	#tell(reactor: number, { kind, tunnel, waiting = 0, was = "used", why = -1 }: LineNewsItem): void {
		const lines = this.#control?.lines;
		if (lines === undefined) return;
		if (kind === "ended") lines.ended(tunnel, was, endOf(why));
		else if (kind === "waiting") {
			const byReactor = this.#waiting.get(tunnel) ?? new Map<number, number>();
			this.#waiting.set(tunnel, byReactor.set(reactor, waiting));
			lines.waiting(
				tunnel,
				[...byReactor.values()].reduce((sum, count) => sum + count, 0),
			);
		} else lines[kind](tunnel);
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
