/**
 * Between the control plane of tunnels (`tunnel/gateway`, which knows agents and what they hold) and the reactors (which have the
 * connections): what is open becomes a plan, and news of lines goes both ways.
 */
import type { Socket } from "node:net";
import type { AdminCertificate } from "../../admin/server.js";
import type { Config } from "../../config/config.js";
import { closeDescriptor, peerOf } from "../../kernel/sockets.js";
import { REASONS } from "../../parts/reasons.js";
import { formatAddress } from "../../protocol/index.js";
import type { LineNewsItem, Notice, ReactorCommand } from "../../reactor/plan/plan.js";
import { integerOf, type Journal, SESSION_KINDS, UPSTREAM } from "../../reactor/records/journal.js";
import { RECYCLE_REASONS } from "../../reactor/records/recycle-reasons.js";
import { startTunnelControl } from "../../tunnel/gateway/control.js";
import type {
	CanaryView,
	LineEnd,
	LinesCut,
	OpenTunnel,
	TunnelControl,
	TunnelEvents,
	TunnelsView,
} from "../../tunnel/gateway/interfaces.js";
import type { Board } from "../../upstream/board.js";
import type { Logger } from "../log.js";
import type { Registry } from "../plan.js";
import type { Reactors } from "../reactors.js";
import { packageVersion } from "../version.js";
import { agentLabel, isTunnel, leadsTo, upstreamName, withTunnels } from "./expand.js";

export interface TunnelsOptions {
	readonly logger: Logger;
	readonly registry: Registry;
	readonly board: Board;
	readonly reactors: Reactors;
	/** What is open has changed: has all reactors run with it, and resolves then. */
	readonly replan: () => Promise<void>;
	/** Closes all sessions that an agent has. */
	readonly cut: (upstream: string, address: string) => void;
	/** Where a listener of the file is bound. */
	readonly portOf: (listener: string) => number | undefined;
	/** A control connection's socket, until it closes. */
	readonly opened: (socket: Socket) => void;
}

/** A plan that could not be made is tried again so soon. */
const AGAIN_MS = 1_000;

type LineProof = Extract<Notice, { readonly kind: "lineProof" }>;

export class Tunnels implements TunnelEvents {
	readonly #options: TunnelsOptions;
	/** By number. */
	readonly #open = new Map<number, OpenTunnel>();
	/** Of these, those that no plan has yet; and why some of them cannot have one. */
	readonly #unconfirmed = new Set<number>();
	readonly #failures = new Map<number, Error>();
	/** Lines that are parked, by tunnel and reactor. */
	readonly #parked = new Map<number, Map<number, number>>();
	/** Visitors that wait, by tunnel and reactor. */
	readonly #waiting = new Map<number, Map<number, number>>();
	/** What came of the last canary, by tunnel. */
	readonly #canaries = new Map<number, CanaryView>();
	#canaryTimer: NodeJS.Timeout | undefined;
	/** Agents speak TLS. */
	#isSecured = false;
	#control: TunnelControl | undefined;
	#replanning: Promise<void> | undefined;

	constructor(options: TunnelsOptions) {
		this.#options = options;
	}

	/** What the file says is in force from now on: agents may log in, or may not any more. */
	follow(written: Config, certificate: AdminCertificate | null): void {
		const { tunnels } = written;
		clearInterval(this.#canaryTimer);
		this.#isSecured = certificate !== null;
		if (tunnels !== null)
			this.#canaryTimer = setInterval(
				() => this.#sendCanaries(tunnels.deadAfterMs),
				tunnels.canaryMs,
			).unref();
		if (tunnels === null) {
			void this.stop();
			return;
		}
		const settings = {
			tunnels,
			certificate,
			handshakeMs: written.timeouts.handshakeMs,
			publicAddresses: (kind: "http" | "tls", host: string) => this.#addressesOf(written, kind, host),
		};
		if (this.#control !== undefined) {
			this.#control.reload(settings);
			return;
		}
		this.#control = startTunnelControl({
			settings,
			events: this,
			log: this.#options.logger,
			program: `sluice/${packageVersion()}`,
			opened: this.#options.opened,
		});
	}

	/** Agents are told to go; their visitors may end by themselves. */
	drain(): void {
		void this.#control?.drain();
	}

	async stop(): Promise<void> {
		clearInterval(this.#canaryTimer);
		const control = this.#control;
		this.#control = undefined;
		await control?.stop();
	}

	/** For metrics and operators; `undefined`: no agents can connect. */
	view(): TunnelsView | undefined {
		const view = this.#control?.view();
		return view === undefined
			? undefined
			: {
					...view,
					tunnels: view.tunnels.map((tunnel) => {
						const canary = this.#canaries.get(tunnel.number);
						return canary === undefined ? tunnel : { ...tunnel, canary };
					}),
				};
	}

	/** Where visitors of a name come in, by the listeners whose routes lead there. */
	#addressesOf({ listeners }: Config, kind: "http" | "tls", host: string): string[] {
		const leading = listeners.filter((listener) =>
			listener.routes.some((route) => leadsTo(route, kind, host)),
		);
		const addresses = leading.flatMap((listener) => {
			const port = this.#options.portOf(listener.name) ?? listener.port;
			const open = `http://${host}${port === 80 ? "" : `:${port}`}`;
			const secured = `https://${host}${port === 443 ? "" : `:${port}`}`;
			if (kind === "tls") return [secured];
			return listener.certificates.length > 0 ? [secured] : [open];
		});
		return [...new Set(addresses)];
	}

	/** The configuration with what is open now. */
	expand(config: Config): Config {
		return withTunnels(config, [...this.#open.values()]);
	}

	async opened(tunnel: OpenTunnel): Promise<void> {
		this.#open.set(tunnel.number, tunnel);
		this.#unconfirmed.add(tunnel.number);
		try {
			await this.#replan();
			const failure = this.#failures.get(tunnel.number);
			if (failure !== undefined) throw failure;
		} catch (error) {
			this.#forget(tunnel.number);
			throw error;
		} finally {
			this.#unconfirmed.delete(tunnel.number);
			this.#failures.delete(tunnel.number);
		}
	}

	closed(number: number, cut: LinesCut, why: string): void {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return;
		const { logger } = this.#options;
		logger.info({ tunnel: tunnel.name, agent: tunnel.identity, why }, "a tunnel is closed");
		this.#forget(number);
		void this.#replanUntilDone().finally(() => {
			if (cut === "all") this.#options.cut(upstreamName(tunnel), agentLabel(tunnel));
		});
	}

	changed(tunnel: OpenTunnel): void {
		if (!this.#open.has(tunnel.number)) return;
		this.#open.set(tunnel.number, tunnel);
		this.#replan().catch((error: Error) =>
			this.#options.logger.error({ error: error.message }, "a tunnel keeps its limits"),
		);
	}

	local(number: number, up: boolean): void {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return;
		this.#options.board.setDown(this.#placeOf(tunnel).address, !up);
	}

	#forget(number: number): void {
		this.#open.delete(number);
		this.#waiting.delete(number);
		this.#parked.delete(number);
		this.#canaries.delete(number);
	}

	/** Several changes at once are one plan. */
	#replan(): Promise<void> {
		this.#replanning ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
			this.#replanning = undefined;
			return this.#planOrDrop();
		});
		return this.#replanning;
	}

	/** Where it cannot be planned, a port of those that are new is another program's: the others are planned without these. */
	async #planOrDrop(): Promise<void> {
		try {
			await this.#options.replan();
		} catch (error) {
			const suspects = [...this.#unconfirmed].filter((number) => this.#open.get(number)?.port != null);
			if (suspects.length === 0) throw error;
			for (const number of suspects) {
				this.#failures.set(number, error as Error);
				this.#open.delete(number);
			}
			await this.#options.replan();
		}
	}

	/** What is closed must not stay reachable. */
	#replanUntilDone(): Promise<void> {
		return this.#replan().catch(async (error: Error) => {
			this.#options.logger.error(
				{ error: error.message },
				"routes of a tunnel that is closed stay; trying again",
			);
			await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
			if (this.#control !== undefined) await this.#replanUntilDone();
		});
	}

	#placeOf(tunnel: OpenTunnel): { readonly upstream: number; readonly address: number } {
		return this.#options.registry.placeOf(upstreamName(tunnel), agentLabel(tunnel));
	}

	/** A session has ended: was it a visitor's? */
	ended(journal: Journal, record: number): void {
		const lines = this.#control?.lines;
		const { registry } = this.#options;
		const slot = integerOf(journal, record, UPSTREAM);
		if (lines === undefined || slot < 0) return;
		const name = registry.upstreams.nameOf(slot);
		if (name === undefined || !isTunnel(name)) return;
		// Of requests no agent is known behind their end: one that holds the name now stands for all.
		const [tunnel] = [...this.#open.values()].filter((each) => upstreamName(each) === name);
		const reason = REASONS[integerOf(journal, record, SESSION_KINDS) & 0xff];
		if (tunnel !== undefined && reason !== undefined) lines.visited(tunnel.number, reason);
	}

	/** What a reactor says. */
	heard(reactor: number, notice: Notice): void {
		if (notice.kind === "control") this.#takeControl(notice.fd, notice.isOpen);
		else if (notice.kind === "lineProof") this.#judge(reactor, notice);
		else if (notice.kind === "canary") {
			const { tunnel, roundTripMs } = notice;
			const isUp = roundTripMs >= 0;
			if (this.#open.has(tunnel))
				this.#canaries.set(tunnel, { isUp, roundTripMs: isUp ? roundTripMs : null });
		} else if (notice.kind === "lineGiven") {
			this.#count(notice.line.tunnel, reactor, -1);
			this.#count(notice.line.tunnel, notice.to, 1);
			this.#options.reactors.tellOne(notice.to, { kind: "takeLine", line: notice.line });
		} else if (notice.kind === "lines") for (const item of notice.items) this.#tell(reactor, item);
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

	#judge(reactor: number, { link, generation, ticket, nonce, proof, isSecured }: LineProof): void {
		const owner = this.#control?.lines.verify(ticket, nonce, proof);
		const found = owner === undefined ? undefined : this.#open.get(owner.tunnel);
		// One in the open, of a tunnel whose lines are not.
		const tunnel = found?.plain === false && !isSecured && this.#isSecured ? undefined : found;
		if (owner !== undefined && tunnel === undefined)
			this.#control?.lines.ended(owner.tunnel, "proving", "failed");
		const place = tunnel === undefined ? null : { ...this.#placeOf(tunnel), tunnel: tunnel.number };
		this.#options.reactors.tellOne(reactor, { kind: "line", link, generation, place });
	}

	/** Each tunnel's goes by the reactor that has most of its lines. */
	#sendCanaries(deadMs: number): void {
		for (const [number, tunnel] of this.#open) {
			const [most] = [...(this.#parked.get(number) ?? [])].sort(([, a], [, b]) => b - a);
			if (most === undefined || most[1] === 0) continue;
			const { address } = this.#placeOf(tunnel);
			this.#options.reactors.tellOne(most[0], { kind: "canary", address, deadMs });
		}
	}

	#count(tunnel: number, reactor: number, more: number): void {
		if (!this.#open.has(tunnel)) return;
		const byReactor = this.#parked.get(tunnel) ?? new Map<number, number>();
		this.#parked.set(tunnel, byReactor.set(reactor, Math.max(0, (byReactor.get(reactor) ?? 0) + more)));
	}

	/** Visitors wait in a reactor that has no line: others have some. */
	#fetch(number: number, to: number, visitors: number): void {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return;
		const { address } = this.#placeOf(tunnel);
		let wanted = visitors;
		for (const [reactor, parked] of this.#parked.get(number) ?? []) {
			if (reactor === to) continue;
			for (let left = parked; left > 0 && wanted > 0; left--, wanted--)
				this.#options.reactors.tellOne(reactor, { kind: "giveLine", address, to });
		}
	}

	/** A line waits in a reactor, and perhaps a visitor in another one. */
	#offer(number: number, from: number): void {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return;
		for (const [to, visitors] of this.#waiting.get(number) ?? []) {
			if (visitors === 0) continue;
			const { address } = this.#placeOf(tunnel);
			const command: ReactorCommand =
				to === from ? { kind: "serveLine", address, tunnel: number } : { kind: "giveLine", address, to };
			this.#options.reactors.tellOne(from, command);
			return;
		}
	}

	#tell(reactor: number, { kind, tunnel, waiting = 0, was = "used", why = -1 }: LineNewsItem): void {
		const lines = this.#control?.lines;
		if (lines === undefined) return;
		if (kind === "parked" || kind === "returned") {
			this.#count(tunnel, reactor, 1);
			this.#offer(tunnel, reactor);
		}
		if (kind === "taken" || (kind === "ended" && was === "parked")) this.#count(tunnel, reactor, -1);
		else if (kind === "waiting") this.#fetch(tunnel, reactor, waiting);
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
