/**
 * What passes between the control plane of tunnels (`control.ts`, on the main thread: who is there, what is open, how many lines are
 * wanted) and whoever has the connections (the reactors: accepting, lines, visitors). Nothing here knows a socket, except for the
 * control connection that is handed over.
 *
 *     reactors ── control connection ──► TunnelControl.accept
 *              ── ticket, nonce, proof ─► Lines.verify ─► whose line it is, or nobody's
 *              ── parked, taken, ended … ► Lines          (how many there are; more are asked for by themselves)
 *              ◄─ opened, closed, local ── TunnelEvents   (what visitors may be sent to)
 *
 * All of it is called on the main thread, and nothing blocks. Byte by byte: `docs/tunnel-wire.md`.
 */
import type { Cidr, TunnelsConfig } from "../../config/config.js";
import type { PasswordLists } from "../../config/passwords.js";
import type { TunnelKind } from "../../protocol/tunnel/index.js";

/** Kinds whose visitors come by a name, and kinds that carry datagrams. */
export type NamedKind = Exclude<TunnelKind, "tcp" | "udp">;
export type DatagramKind = Extract<TunnelKind, "udp" | "quic">;

/** What one agent offers under one name. A name that is shared has one of these for each of its agents. */
export interface OpenTunnel {
	/** Of this process, from 1, never given again: what lines are bound to. */
	readonly number: number;
	/**
	 * A small number, from 0, the lowest that was free: for places in shared memory. It is somebody else's only after the tunnel
	 * has been closed and the last of its lines has ended.
	 */
	readonly slot: number;
	/** The agent, as the file calls it. */
	readonly identity: string;
	/** Of the agent's login: all of its tunnels end with it. */
	readonly epoch: number;
	/** `tls` and `quic` pass to the agent as they come; `http` is read here; `tcp` and `udp` have a port of their own. */
	readonly kind: TunnelKind;
	/** As log and metrics call it: `app`, or `shop.example.org` for a name outside the domain; `app/udp` where datagrams pass. In lower case. */
	readonly name: string;
	/** The host that visitors ask for (SNI or Host), in lower case; `null` for `tcp` and `udp`. */
	readonly host: string | null;
	/** Where visitors of `tcp` connect to, and those of `udp` send to; `null` for the others. */
	readonly port: number | null;
	/** Its lines come without TLS. */
	readonly plain: boolean;
	/** Visitors from elsewhere are refused; `null`: everybody may come. What the agent asked for. */
	readonly allow: readonly Cidr[] | null;
	/** Visitors at a time, and bytes per second both ways together: the file's, or the agent's where that is less. `null`: no limit. */
	readonly connections: number | null;
	readonly bytesPerSecond: number | null;
	/** Visitors of `http` are asked for a name and a password that stand in each of these: the file's, and the agent's. Empty: nobody is asked. */
	readonly basicAuth: PasswordLists;
}

/** Which lines go when a tunnel is closed: those that nobody uses, or those with visitors on them as well. */
export type LinesCut = "parked" | "all";

/** Why a tunnel is closed, as the agent and the log are told. */
export type TunnelEnd = "ended" | "superseded" | "removed" | "dead" | "lost" | "drained" | "protocol";

/** What the control plane tells. Calls come in the order in which things happened; none may throw. */
export interface TunnelEvents {
	/**
	 * Visitors may be sent to it. Resolves when they can come (its port is bound, the reactors know it); only then is the agent told.
	 * A rejection refuses the tunnel with its message, and its port is another's. It may be `closed` while this is under way; then
	 * what comes of it is not looked at.
	 */
	opened(tunnel: OpenTunnel): Promise<void>;
	/** No visitor may be sent to it any more, and these of its lines are to be closed. Each of them ends with `Lines.ended` as always. */
	closed(tunnel: number, cut: LinesCut, why: TunnelEnd): void;
	/** A reload has changed its limits (`connections`, `bytesPerSecond`, `basicAuth`): these hold for visitors from now on. Nothing else differs. */
	changed(tunnel: OpenTunnel): void;
	/**
	 * What the agent says of its local service, perhaps before `opened` has resolved. It is up until the agent says otherwise. While it
	 * is down, no visitor is sent. `why`: the agent's words.
	 */
	local(tunnel: number, up: boolean, why: string): void;
}

/** Whose a line is. */
export interface LineOwner {
	readonly tunnel: number;
	readonly epoch: number;
}

/** Where a line was when it ended. `proving`: `verify` was good, and it never came to be parked. */
export type LineState = "proving" | "parked" | "used" | "retiring";

/** Why a line ended, for `sluice_tunnel_lines_recycled_total`. `done`: with its visitor. */
export type LineEnd = "done" | "age" | "requests" | "superseded" | "dead" | "closed" | "drained" | "failed";

/**
 * What the reactors tell of lines. Numbers of tunnels that are gone are passed over, so that news that comes late needs no care. Each
 * line is told in this order: verify (good) → parked → taken → (returned → taken …) → retiring → (taken → …) ended; from anywhere to ended, once.
 */
export interface Lines {
	/**
	 * Whose line it is. A ticket serves once, right or wrong: so this is asked once, when the whole proof is there, and by the main
	 * thread alone. `undefined`: close it without a word.
	 */
	verify(ticket: Uint8Array, nonce: Uint8Array, proof: Uint8Array): LineOwner | undefined;
	/** The agent was sent its `0x01`, and the line waits. */
	parked(tunnel: number): void;
	/** A visitor or a request has it, which was parked, unless it says otherwise. Another one is asked for at once; one that was `retiring` has it asked for already. */
	taken(tunnel: number, was?: "parked" | "retiring"): void;
	/** It has served a request, and waits for another. */
	returned(tunnel: number): void;
	ended(tunnel: number, was: LineState, why: LineEnd): void;
	/**
	 * It is old, or has served enough, and goes. In the place of a parked one another is asked for; close it when the next line of the
	 * tunnel is parked, or when your patience ends. Until then a visitor may have it, which is better than to wait. It ends as `retiring`.
	 */
	retiring(tunnel: number, was: "parked" | "used"): void;
	/** So many visitors of the tunnel wait for a line now (also 0, when none does any more). That many are asked for at once. */
	waiting(tunnel: number, visitors: number): void;
	/** A visitor has ended, for `sluice_tunnel_visitors_total`: a reason of the closed list (`parts/reasons.ts`). */
	visited(tunnel: number, reason: string): void;
}

/** A connection that begins as a control connection, and is the main thread's from now on. */
export interface ControlConnection {
	/** Nothing was read from it, only peeked: the hello of TLS is still there, or `SLC1`. It is closed here. */
	readonly fd: number;
	/** Who connects, without the port, as text: for the log, and for those that have to wait after wrong logins. */
	readonly address: string;
	/** Its first bytes were `SLC1`, which a gateway allows only with `insecure: true`. */
	readonly inTheOpen: boolean;
}

/**
 * The whole control plane, as `startTunnelControl` of `control.ts` makes it. Control connections are refused as `draining` after
 * `drain`, and reset after `stop`.
 */
export interface TunnelControl {
	/** Takes it over. Whatever is wrong with it is told to the peer and the log, not here. */
	accept(connection: ControlConnection): void;
	readonly lines: Lines;
	/** Agents that are gone are cut at once, visitors as well; others go on. Takes effect before it returns. */
	reload(settings: ControlSettings): void;
	/**
	 * Agents are told to go and open nothing more; their visitors go on. Resolves when the last control connection is closed: within a
	 * second, or `handshakeMs` where somebody has just begun.
	 */
	drain(): Promise<void>;
	/** Ends all control connections at once. */
	stop(): Promise<void>;
	/** For metrics and the API. */
	view(): TunnelsView;
}

/** What a reload can change. */
export interface ControlSettings {
	readonly tunnels: TunnelsConfig;
	/** PEM of the certificate and its key, as `Certificates.tunnels` has them; `null` in the open. */
	readonly certificate: { readonly cert: string; readonly key: string } | null;
	/** `timeouts.handshake`: until an agent has logged in. */
	readonly handshakeMs: number;
	/** Where visitors of names come in: `https://{host}`, `http://{host}:8080`. Empty: no listener leads to tunnels. */
	readonly publicAddresses: (kind: NamedKind, host: string) => readonly string[];
	/** The longest that a session of datagrams may be idle, wherever it comes in. */
	readonly datagramIdleMs: (kind: DatagramKind) => number;
}

/** What is there now, for metrics, `GET /api/tunnels` and `sluice tunnels`. */
export interface TunnelsView {
	readonly agents: readonly AgentView[];
	readonly tunnels: readonly TunnelView[];
	/** Control connections that have not logged in yet. */
	readonly loggingIn: number;
	/** Of the whole life of the process. */
	readonly totals: {
		/** Logins that succeeded, and those of them that followed an earlier one of the same identity. */
		readonly logins: number;
		readonly reconnects: number;
		/** Logins and names that were refused, by code. */
		readonly refused: Readonly<Record<string, number>>;
		/** Visitors by `name reason`, lines by why they ended. */
		readonly visitors: readonly {
			readonly tunnel: string;
			readonly reason: string;
			readonly count: number;
		}[];
		readonly recycled: Readonly<Record<string, number>>;
	};
}

export interface AgentView {
	readonly id: string;
	readonly epoch: number;
	readonly address: string;
	/** What it says of itself. */
	readonly agent: string;
	readonly sinceMs: number;
	/** A round trip of the last ping; `null` before the first. */
	readonly rttMs: number | null;
}

/** What was found when the way through a parked line was tried last. */
export interface CanaryView {
	readonly isUp: boolean;
	/** `null` where nothing came back. */
	readonly roundTripMs: number | null;
}

export interface TunnelView extends OpenTunnel {
	/** Absent before the first was sent; the reactors' side knows it. */
	readonly canary?: CanaryView;
	readonly addresses: readonly string[];
	/** `opening` until reactors know it; `down` when its local service is. */
	readonly state: "opening" | "up" | "down" | "closing";
	/** What its agent says is wrong with the local service; `null`: it is up, as far as the agent looks. */
	readonly localDown: string | null;
	readonly lines: LineCounts;
}

/** Lines of one tunnel. */
export interface LineCounts {
	/** How many are to be parked. */
	readonly depth: number;
	/** Tickets that are out. */
	readonly asked: number;
	readonly proving: number;
	readonly parked: number;
	readonly used: number;
	readonly retiring: number;
	/** That the agent could not open, since it was opened. */
	readonly failed: number;
}
