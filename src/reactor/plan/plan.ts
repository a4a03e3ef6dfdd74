/** What the main thread sends a reactor: plain data, by message. A new plan never touches a live session. */

import type { HubMemory, HubNews, HubOrder, HubSettings } from "../../channels/orders.js";
import type { Cidr, PathMode, RouteConditions } from "../../config/config.js";
import type { ClientOptions, ServerOptions } from "../../kernel/openssl/options.js";
import type { LineOptions, UpstreamPlan } from "../../upstream/plan.js";

/** Deadlines and options that a session takes with it when it begins, and keeps over reloads. */
export interface Policy {
	readonly handshakeMs: number;
	readonly connectMs: number;
	readonly idleMs: number;
	/** The same of sessions of QUIC. */
	readonly quicIdleMs: number;
	readonly stallMs: number;
	readonly halfClosedMs: number;
	/** Each session gets up to a tenth less. 0 = off. */
	readonly lifetimeMs: number;
	readonly silenceMs: number;
	/** From a head's first byte to its last. */
	readonly requestHeadMs: number;
	/** From the end of a request to the beginning of its answer. */
	readonly responseHeadMs: number;
	/** Between two requests. */
	readonly keepAliveMs: number;
	/** A request's body comes at least so fast, where its route says nothing else; 0: it may pause. */
	readonly bodyBytesPerSecond: number;
	readonly keepaliveIdleSeconds: number;
	readonly keepaliveIntervalSeconds: number;
	readonly keepaliveProbes: number;
	readonly userTimeoutMs: number;
	readonly unsentBytes: number;
	/** Sizes of an upstream socket's buffers; 0: the kernel tunes them. */
	readonly sendBufferBytes: number;
	readonly receiveBufferBytes: number;
	/** `null`: as fast as it can be. */
	readonly rates: ByteRates | null;
	/** Of the route whose sessions are held to this; `null`: any number. */
	readonly places: RoutePlaces | null;
}

/** Bytes per second, both ways together; 0: any number. */
export interface ByteRates {
	/** Of all listeners together, and of its listener and its route. */
	readonly all: number;
	readonly listener: number;
	readonly route: number;
	/** Of the client's address, and of the session itself. */
	readonly source: number;
	readonly own: number;
}

/** A route has so many sessions at most, over all reactors. */
export interface RoutePlaces {
	readonly route: number;
	readonly most: number;
}

export interface RoutePlan {
	readonly conditions: RouteConditions;
	/** Place in the counters; stable over reloads for a route that stays as it is. */
	readonly slot: number;
	/** Slot of the upstream, or -1: reject. */
	readonly upstream: number;
	/** Which of the plan's policies holds for what takes it; -1: its listener's. */
	readonly policy: number;
	/** Connections that it takes as a whole, and requests, per second. Infinity: any number. */
	readonly sessionsPerSecond: number;
	readonly requestsPerSecond: number;
	/** It is for names of tunnels that no agent holds. Absent: it is not. */
	readonly noTunnel?: boolean;
	/** Of a route to the hub on a listener of bytes: who comes is a subscriber of this channel. */
	readonly channel?: string;
}

export interface ListenerPlan {
	/** Place in the counters; stable over reloads. */
	readonly slot: number;
	/**
	 * This reactor's listening socket. The main thread owns it, and closes it after `listenersClosed`. -1: there is none, and its
	 * sessions come by lines that an agent has opened.
	 */
	readonly fd: number;
	/** All reactors accept at this socket, and take from one queue. Absent: it is this reactor's own. */
	readonly isShared?: boolean;
	/** Where it is bound. */
	readonly port: number;
	/** Sessions it may have, over all reactors. Infinity: no limit of its own. */
	readonly connections: number;
	/** Connections taken, and requests, per second, over all reactors. Infinity: no limit of its own. */
	readonly acceptsPerSecond: number;
	readonly requestsPerSecond: number;
	/** Which of the plan's policies its sessions begin with. */
	readonly policy: number;
	readonly proxyRequired: boolean;
	/** It takes connections of agents, and no clients. Absent: it takes clients. */
	readonly isForAgents?: boolean;
	/** Its socket is one of UDP. Absent: of TCP. */
	readonly datagrams?: DatagramsPlan;
	/** Names that are not terminated, whatever entry of `tls` is for them. Absent: none. */
	readonly passes?: readonly string[];
	readonly trusted: readonly Cidr[];
	readonly routes: readonly RoutePlan[];
	/** Requests are read, because a route leads to an upstream that takes requests, or asks for what only a request has. */
	readonly readsRequests: boolean;
	/** How many of a million requests have a line in the log. */
	readonly logRequests: number;
	readonly http: HttpPlan;
	/** Names that are terminated here; TLS of all others passes through. */
	readonly tls: readonly TlsEntryPlan[];
}

export interface DatagramsPlan {
	/** What becomes of QUIC in versions that cannot be opened. */
	readonly unknownVersions: "reject" | "route";
	/** It is bound to every address of the machine: answers leave from the one that was asked. */
	readonly bindsAny: boolean;
}

/** A certificate and the names it is shown for. */
export interface TlsEntryPlan {
	/** Exact, `*.example.com` for one label, or `*` for names of no other entry, and for clients that give no name. */
	readonly names: readonly string[];
	/** What is in the files. */
	readonly server: ServerOptions;
	/** Equal for equal contents: such an entry goes on over reloads. */
	readonly identity: string;
}

/** What holds for requests. */
export interface HttpPlan {
	readonly requestsPerConnection: number;
	/** Requests taken per second, of all clients and of one address; beyond, 429. Infinity: any number. */
	readonly requestsPerSecond: number;
	readonly requestsPerSecondPerSource: number;
	/** Content that a request may have, where its route says nothing else; beyond, 413. Infinity: any amount. */
	readonly requestBodyBytes: number;
	/** Our name in Via; `null`: none is added. */
	readonly via: Uint8Array | null;
	/** Whose X-Forwarded-For is believed. */
	readonly forwardedTrusted: readonly Cidr[];
	readonly paths: PathMode;
}

export interface Plan {
	readonly revision: number;
	/** Of listeners and routes, each once. */
	readonly policies: readonly Policy[];
	/** Sessions over all reactors. */
	readonly connections: number;
	/** Connections beyond a limit that counts all clients are reset; otherwise they wait to be accepted. */
	readonly resetsWhenFull: boolean;
	/** `connections` is what the descriptors allow: then being full is pressure, and clients that are not routed yet are closed. */
	readonly shedsWhenFull: boolean;
	/** Per client address, and per second over all of them. Infinity: no limit. */
	readonly connectionsPerSource: number;
	readonly acceptsPerSecondPerSource: number;
	readonly acceptsPerSecond: number;
	/** Accepted descriptors from this number on say that only the reserve is left. */
	readonly descriptorCeiling: number;
	readonly logSessions: boolean;
	/** Half-seen hellos of QUIC and DTLS that are kept, over all reactors. */
	readonly halfHellos: number;
	/** Keys of TLS session tickets, the newest first; empty where nothing is terminated. */
	readonly ticketKeys: readonly Uint8Array[];
	/** The field that tells upstreams the subject of a client's certificate. */
	readonly clientSubjectField: string | null;
	readonly listeners: readonly ListenerPlan[];
	readonly upstreams: readonly UpstreamPlan[];
}

/** Part of the plan that follows, which has too much of it for one message. */
export interface PlanPart {
	/** Slot of the listener whose routes and certificates these are; -1: of none. */
	readonly listener: number;
	readonly routes: readonly RoutePlan[];
	readonly tls: readonly TlsEntryPlan[];
	readonly upstreams: readonly UpstreamPlan[];
}

export type ProfileStep = "startCpu" | "stopCpu" | "heap";

/** A block of client addresses that is shut out. */
export interface Ban {
	readonly block: Cidr;
	/** On the kernel's clock. */
	readonly untilMs: number;
}

/** Main thread to reactor's thread. Carried out in their order. */
export type Command = ReactorCommand | ProfileCommand;

/** Of the thread and not of the reactor (`worker.ts`): profile it; all but the beginning is answered with `profiled`. */
export interface ProfileCommand {
	readonly kind: "profile";
	readonly what: ProfileStep;
}

/** What became of a line's proof. */
export interface LineVerdict {
	/** Its row, if that is still of this generation. */
	readonly link: number;
	readonly generation: number;
	/** The upstream, the address on the board and the tunnel that it is for; `null`: it is none of ours. */
	readonly place: { readonly upstream: number; readonly address: number; readonly tunnel: number } | null;
}

/** A parked line on its way from one reactor to another: descriptors and sessions of TLS belong to the process. */
export interface MovedLine {
	readonly upstream: number;
	readonly address: number;
	readonly tunnel: number;
	readonly fd: number;
	/** Of the TLS library; 0: it is in the open. */
	readonly session: number;
	/** When it goes at the latest; 0: it stays. */
	readonly leaveMs: number;
	/** Since when it is a line, on the kernel's clock, and how many have used it. */
	readonly openedMs: number;
	readonly uses: number;
}

/** How the gateway is spoken to that an agent has its lines from. */
export interface LineGateway {
	readonly sockaddr: Uint8Array;
	/** Of each line, from its first packet on. */
	readonly options: LineOptions;
	/** `null`: in the open. Equal identities mean equal options. */
	readonly tls: {
		readonly identity: string;
		readonly client: ClientOptions;
		/** SHA-256 of its certificate, 64 hexadecimal digits in upper case: of one that somebody has made sure of. */
		readonly fingerprint: string;
	} | null;
}

/** A line that an agent is to open. */
export interface LineOrder {
	/** What it is called in news of it. */
	readonly number: number;
	readonly ticket: Uint8Array;
	readonly key: Uint8Array;
}

export type ReactorCommand =
	/** Open these lines to a gateway of tunnels; their visitors are sessions of this listener. What becomes of them is told as `ownLines`. */
	| {
			readonly kind: "openLines";
			readonly listener: number;
			readonly gateway: LineGateway;
			readonly lines: readonly LineOrder[];
	  }
	/** Close those lines that no visitor has taken: of this listener, or all (-1). */
	| { readonly kind: "closeLines"; readonly listener: number }
	/** Give a parked line of this address to another reactor, where a visitor waits: told as `lineGiven`. Where none is parked, nothing is told. */
	| { readonly kind: "giveLine"; readonly address: number; readonly to: number }
	/** Try the way through a parked line of this address; it has so long. Told as `canary`, where one is parked. */
	| { readonly kind: "canary"; readonly address: number; readonly deadMs: number }
	/** Nobody is to be sent to this address any more: sessions that wait for a line of it dial another, or are refused. */
	| { readonly kind: "sendElsewhere"; readonly address: number }
	/** A line of this address is back in the pool, and a session waits for one here. */
	| { readonly kind: "serveLine"; readonly address: number; readonly tunnel: number }
	/** Take one that another reactor has given. */
	| { readonly kind: "takeLine"; readonly line: MovedLine }
	/** A line's proof is good or not. */
	| ({ readonly kind: "line" } & LineVerdict)
	| { readonly kind: "part"; readonly part: PlanPart }
	/** In force when the reactor says `applied`. */
	| { readonly kind: "plan"; readonly plan: Plan }
	/** A name was resolved anew. */
	| { readonly kind: "upstream"; readonly upstream: UpstreamPlan }
	/** Tickets are encrypted with another key from now on. */
	| { readonly kind: "ticketKeys"; readonly keys: readonly Uint8Array[] }
	/** Another reactor needs room and has no session to close: close a share of those here that have earned least. */
	| { readonly kind: "makeRoom"; readonly unrecognizedOnly: boolean }
	/** Close those that have earned least until so many bytes are free. */
	| { readonly kind: "shedMemory"; readonly bytes: number }
	/** Say, as `held`, which numbers this reactor still uses: some have run out. */
	| { readonly kind: "held" }
	/** Say `lives`: this reactor takes its turns. */
	| { readonly kind: "live" }
	/** Add up what the kernel holds for this reactor's sockets, and say `measured`. */
	| { readonly kind: "measure" }
	/** These are closed, as an operator has it or for another `reason`: each by its row, if that is still the session of this number. */
	| {
			readonly kind: "close";
			readonly rows: Int32Array;
			readonly numbers: Float64Array;
			readonly reason?: number;
	  }
	/** There is a hub; or there was one already, and what holds for its subscribers has changed. */
	| { readonly kind: "hub"; readonly memory: HubMemory; readonly settings: HubSettings }
	/** What becomes of subscribers of the hub, one after the other. */
	| { readonly kind: "hubOrders"; readonly orders: readonly HubOrder[] }
	/** These addresses are shut out from now on, and no others; sessions that they have are closed. */
	| { readonly kind: "bans"; readonly bans: readonly Ban[] }
	/** An operator has a listener rest: who comes waits in its accept queue. Or has it go on. */
	| { readonly kind: "rest"; readonly listener: number; readonly rests: boolean }
	/** Stop accepting (what waits in the accept queues is still taken), and say when no session is left. */
	| { readonly kind: "drain" }
	/** Close what is left as `drained` and end. */
	| { readonly kind: "stop" };

/** Of numbers that a reactor still uses. By number: 1 where it is held. */
export interface HeldNumbers {
	readonly listeners: Uint8Array;
	readonly routes: Uint8Array;
	readonly upstreams: Uint8Array;
	readonly addresses: Uint8Array;
}

/** What can become of a line of a tunnel. */
export type LineNewsKind = "parked" | "taken" | "returned" | "retiring" | "waiting" | "ended";

/** Where a line was. */
export type LinePlaceOf = "proving" | "parked" | "used" | "retiring";

export interface LineNewsItem {
	readonly kind: LineNewsKind;
	/** Number of the tunnel. */
	readonly tunnel: number;
	/** `waiting`: sessions that wait for a line of it here. */
	readonly waiting?: number;
	/** `waiting`: those of them that would keep their line, and leave the last ones. */
	readonly lasting?: number;
	/** `ended`, `retiring`, and `taken`, where it is `parked` unless it says otherwise. */
	readonly was?: LinePlaceOf;
	/** `ended`: one of RECYCLE_REASONS; -1: with what it served. */
	readonly why?: number;
}

/** What has become of a line that an agent has opened; `number` is that of its order. Behind `failed`, `closed` and `began` nothing more comes. */
export type OwnLineNews =
	| { readonly kind: "parked" | "closed"; readonly number: number }
	/** It could not be opened. */
	| {
			readonly kind: "failed";
			readonly number: number;
			readonly why: string;
			/** The gateway has shown another certificate than its order names. */
			readonly hasOtherCertificate?: boolean;
	  }
	/** A visitor has it, as a session of this number. `source`: `203.0.113.7:53496`; `null`: requests come, perhaps of many. */
	| {
			readonly kind: "began";
			readonly number: number;
			readonly session: number;
			readonly source: string | null;
	  }
	/** A visitor's session has ended, and the journal had no room for it. */
	| {
			readonly kind: "ended";
			readonly session: number;
			/** One of REASONS. */
			readonly reason: number;
			readonly fromVisitor: number;
			readonly toVisitor: number;
	  };

/** Reactor to main thread. */
export type Notice =
	/** Its thread has loaded its files, and opens no more of them. */
	| { readonly kind: "loaded" }
	/** What became of subscribers of the hub in a turn. */
	| { readonly kind: "hub"; readonly items: readonly HubNews[] }
	/** What became of an agent's lines in a turn. */
	| { readonly kind: "ownLines"; readonly items: readonly OwnLineNews[] }
	/** `policies`: the numbers that sessions carry for those of the plan, in their order. */
	| { readonly kind: "applied"; readonly revision: number; readonly policies: readonly number[] }
	/** What a file for DevTools holds. */
	| { readonly kind: "profiled"; readonly text: string }
	| { readonly kind: "listenersClosed" }
	| { readonly kind: "drained" }
	/** An agent's control connection: the descriptor is the main thread's from now on, and nothing of it was read. */
	| { readonly kind: "control"; readonly fd: number; readonly isOpen: boolean }
	/** A line shows its proof (`docs/tunnel-wire.md`). */
	| {
			readonly kind: "lineProof";
			readonly link: number;
			readonly generation: number;
			readonly listener: number;
			readonly ticket: Uint8Array;
			readonly nonce: Uint8Array;
			readonly proof: Uint8Array;
			/** It came through TLS. */
			readonly isSecured: boolean;
	  }
	/** What a canary sent has come back after so long; -1: it has not, and the line is closed. */
	| { readonly kind: "canary"; readonly tunnel: number; readonly roundTripMs: number }
	| { readonly kind: "lineGiven"; readonly to: number; readonly line: MovedLine }
	/** What became of lines in a turn. */
	| { readonly kind: "lines"; readonly items: readonly LineNewsItem[] }
	/** The journal has its first record after a quiet time, or is half full. */
	| { readonly kind: "journal" }
	/** Places or descriptors have run out, and this reactor has no session to close for them. */
	| { readonly kind: "pressure"; readonly unrecognizedOnly: boolean }
	| { readonly kind: "lives" }
	| { readonly kind: "measured" }
	| { readonly kind: "held"; readonly numbers: HeldNumbers }
	/** Something that an operator should read. */
	| { readonly kind: "log"; readonly level: "warn" | "error"; readonly message: string }
	| { readonly kind: "stopped" };

export type TurnClock = "wall" | "cpu";

/** What a reactor's thread is started with. */
export interface ReactorOptions extends SharedByAll, SharedWithMain {
	readonly index: number;
	readonly reactors: number;
	/** Sessions this reactor may have at once. */
	readonly sessions: number;
	/** This reactor's share of `limits.buffered_bytes`: what waits in chunks and pipes. */
	readonly bufferedBytes: number;
	/** Pipes this reactor may have open at once; each is two descriptors. */
	readonly pipes: number;
	readonly wakeFd: number;
	/** Those of all reactors. */
	readonly wakeFds: readonly number[];
	/** What turns are measured by: the time that passes (default), or the processor time that the thread has, which costs more. */
	readonly turnClock?: TurnClock;
	/** News that is heard in a turn. Default: 64. */
	readonly eventsPerTurn?: number;
	/** What its thread waits at; opened and closed by the main thread, as `wakeFd` is. */
	readonly epollFd: number;
}

/** Memory that all reactors share with each other and with the main thread. */
export interface SharedByAll {
	readonly board: SharedArrayBuffer;
	/** Int32: sessions alive, 1 when the process is ending without having stopped them, sessions by listener, and by route where that has a limit. */
	readonly live: SharedArrayBuffer;
	readonly sources: { readonly places: number; readonly buffer: SharedArrayBuffer };
	/** How fast listeners and routes are used. */
	readonly rates: SharedArrayBuffer;
	readonly owners: { readonly limit: number; readonly buffer: SharedArrayBuffer };
	/** Upstream connections that may lead back here, of all reactors. */
	readonly loops: SharedArrayBuffer;
	/** Connection IDs of QUIC by their reactors, and datagrams on their way from one reactor to another. */
	readonly connectionIds: SharedArrayBuffer;
	readonly strays: SharedArrayBuffer;
}

/** Memory that one reactor writes and the main thread reads. */
export interface SharedWithMain {
	readonly counters: SharedArrayBuffer;
	readonly journal: SharedArrayBuffer;
	readonly table: SharedArrayBuffer;
	readonly pipeEnds: SharedArrayBuffer;
}
