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
import { carriesDatagrams } from "../../protocol/tunnel/index.js";
import type { Notice } from "../../reactor/plan/plan.js";
import { integerOf, type Journal, SESSION_KINDS, UPSTREAM } from "../../reactor/records/journal.js";
import { startTunnelControl } from "../../tunnel/gateway/control.js";
import type {
	CanaryView,
	DatagramKind,
	LinesCut,
	NamedKind,
	OpenTunnel,
	TunnelControl,
	TunnelEvents,
	TunnelsView,
} from "../../tunnel/gateway/interfaces.js";
import type { Logger } from "../log.js";
import type { Registry } from "../plan.js";
import type { Reactors } from "../reactors.js";
import { packageVersion } from "../version.js";
import { agentLabel, datagramIdleMs, isTunnel, leadsTo, upstreamName, withTunnels } from "./expand.js";
import { type LinePlace, LineTraffic } from "./line-traffic.js";

export interface TunnelsOptions {
	readonly logger: Logger;
	readonly registry: Registry;
	/** An address gets no session, because of this; nothing: it gets them again. */
	readonly setDown: (address: number, why: string | undefined) => void;
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

export class Tunnels implements TunnelEvents {
	readonly #options: TunnelsOptions;
	/** By number. */
	readonly #open = new Map<number, OpenTunnel>();
	/** Where their lines are counted, once it was asked for. */
	readonly #places = new WeakMap<OpenTunnel, LinePlace>();
	/** Of these, those that no plan has yet; and why some of them cannot have one. */
	readonly #unconfirmed = new Set<number>();
	readonly #failures = new Map<number, Error>();
	readonly #traffic: LineTraffic;
	/** What their agents say is wrong with local services, by tunnel. */
	readonly #localDown = new Map<number, string>();
	/** What came of the last canary, by tunnel. */
	readonly #canaries = new Map<number, CanaryView>();
	#canaryTimer: NodeJS.Timeout | undefined;
	#control: TunnelControl | undefined;
	#replanning: Promise<void> | undefined;

	constructor(options: TunnelsOptions) {
		this.#options = options;
		this.#traffic = new LineTraffic({
			desk: () => this.#control?.lines,
			placeOf: (number) => this.#placeFor(number),
			tell: (reactor, command) => this.#options.reactors.tellOne(reactor, command),
		});
	}

	/** What the file says is in force from now on: agents may log in, or may not any more. */
	follow(written: Config, certificate: AdminCertificate | null): void {
		const { tunnels } = written;
		clearInterval(this.#canaryTimer);
		this.#traffic.isSecured = certificate !== null;
		if (tunnels !== null)
			this.#canaryTimer = setInterval(() => {
				for (const number of this.#open.keys()) this.#traffic.sendCanary(number, tunnels.deadAfterMs);
			}, tunnels.canaryMs).unref();
		if (tunnels === null) {
			void this.stop();
			return;
		}
		const settings = {
			tunnels,
			certificate,
			handshakeMs: written.timeouts.handshakeMs,
			publicAddresses: (kind: NamedKind, host: string) => this.#addressesOf(written, kind, host),
			datagramIdleMs: (kind: DatagramKind) => datagramIdleMs(written, tunnels, kind),
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
	#addressesOf({ listeners }: Config, kind: NamedKind, host: string): string[] {
		const leading = listeners.filter(
			({ datagrams, routes }) =>
				(datagrams !== undefined) === carriesDatagrams(kind) &&
				routes.some((route) => leadsTo(route, kind, host)),
		);
		const addresses = leading.flatMap((listener) => {
			const port = this.#options.portOf(listener.name) ?? listener.port;
			const open = `http://${host}${port === 80 ? "" : `:${port}`}`;
			const secured = `https://${host}${port === 443 ? "" : `:${port}`}`;
			if (kind === "quic") return [`quic://${host}${port === 443 ? "" : `:${port}`}`];
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
			if (this.#localDown.has(tunnel.number)) this.#followLocal(tunnel);
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

	local(number: number, up: boolean, why: string): void {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return;
		const { name, identity: agent } = tunnel;
		const { logger } = this.#options;
		if (up) logger.info({ tunnel: name, agent }, "the local service of a tunnel is up");
		else logger.warn({ tunnel: name, agent, why }, "the local service of a tunnel is down");
		if (up) this.#localDown.delete(number);
		else this.#localDown.set(number, why);
		// It has no place before it is planned, and no lines before it is open.
		if (!this.#unconfirmed.has(number)) this.#followLocal(tunnel);
	}

	#followLocal(tunnel: OpenTunnel): void {
		const why = this.#localDown.get(tunnel.number);
		const { address } = this.#placeOf(tunnel);
		this.#options.setDown(address, why === undefined ? undefined : `its agent says: ${why}`);
	}

	#forget(number: number): void {
		this.#open.delete(number);
		this.#traffic.forget(number);
		this.#canaries.delete(number);
		this.#localDown.delete(number);
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

	/** Asked for each piece of news of a line. A tunnel that is open keeps its numbers. */
	#placeFor(number: number): LinePlace | undefined {
		const tunnel = this.#open.get(number);
		if (tunnel === undefined) return undefined;
		const known = this.#places.get(tunnel);
		if (known !== undefined) return known;
		const place = { ...this.#placeOf(tunnel), plain: tunnel.plain };
		this.#places.set(tunnel, place);
		return place;
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
		else if (notice.kind === "lineProof") this.#traffic.judge(reactor, notice);
		else if (notice.kind === "canary") {
			const { tunnel, roundTripMs } = notice;
			const isUp = roundTripMs >= 0;
			if (isUp) this.#traffic.canaryBack(reactor, tunnel);
			if (this.#open.has(tunnel))
				this.#canaries.set(tunnel, { isUp, roundTripMs: isUp ? roundTripMs : null });
		} else if (notice.kind === "lineGiven") this.#traffic.given(reactor, notice);
		else if (notice.kind === "lines") for (const item of notice.items) this.#traffic.news(reactor, item);
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
}
