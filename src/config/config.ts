/**
 * What `sluice.yaml` means once it has been read: every default filled in, every
 * unit resolved, every reference checked. The rest of Sluice sees only this.
 *
 * Units stand in the names: milliseconds are `…Ms`, bytes are `…Bytes`.
 */

import type { WrittenParts } from "./changes.js";
import type { Problem } from "./errors.js";
import type { PasswordEntry, PasswordLists } from "./passwords.js";

/** An IP address or host name with a port, or a Unix socket path. */
export type Endpoint =
	| { readonly kind: "ip"; readonly address: string; readonly family: 4 | 6; readonly port: number }
	| { readonly kind: "name"; readonly host: string; readonly port: number }
	| { readonly kind: "unix"; readonly path: string };

/** A block of addresses: `10.0.0.0/8`. `bytes` holds 4 or 16 bytes, host bits zeroed. */
export interface Cidr {
	readonly family: 4 | 6;
	readonly bytes: readonly number[];
	readonly prefixLength: number;
}

/** Bytes that may pass in a second, both ways together; `null`: any number. */
export interface ByteRates {
	/** Of all sessions together of what has these. */
	readonly all: number | null;
	/** Of one client address (IPv6: of one /64). */
	readonly perIp: number | null;
	readonly perSession: number | null;
}

export interface Limits {
	/** Sessions over all listeners. `null`: what the descriptor limit allows (decided at start). */
	readonly connections: number | null;
	/** What becomes of connections beyond a limit that counts all clients together. */
	readonly whenFull: "wait" | "reset";
	/** Sessions of one client address (IPv6: of one /64); `null`: any number. */
	readonly connectionsPerIp: number | null;
	/** Connections taken per second, with as many at once after a quiet second; `null`: any number. */
	readonly acceptsPerSecond: number | null;
	readonly acceptsPerSecondPerIp: number | null;
	/** Bytes that may wait in user space, over all reactors. */
	readonly bufferedBytes: number;
	/** Descriptors kept free for admin, logs and dials. */
	readonly fdReserve: number;
	/** Hellos of QUIC and DTLS of which a part has come, over all reactors. */
	readonly halfHellos: number;
	/** Memory that sessions may hold, the kernel's included. `null`: a quarter of the machine's (decided at start). */
	readonly memoryBytes: number | null;
	/** Requests that one connection may have. */
	readonly requestsPerConnection: number;
	/** Requests taken per second, with as many at once after a quiet second; `null`: any number. */
	readonly requestsPerSecond: number | null;
	readonly requestsPerSecondPerIp: number | null;
	/** Content that a request may have, where its route says nothing else; `null`: any amount. */
	readonly requestBodyBytes: number | null;
	/** The body of a request comes at least so fast, over ten seconds. */
	readonly bodyBytesPerSecond: number;
	readonly byteRates: ByteRates;
}

/** What the kernel may hold for one connection. */
export interface Sockets {
	/** Bytes that a socket takes beyond those under way to the peer. */
	readonly unsentBytes: number;
	/** Fixed buffer sizes; `null`: the kernel tunes them. */
	readonly sendBytes: number | null;
	readonly receiveBytes: number | null;
}

/** Each step of a connection's life has one deadline; 0 means off (only `lifetime` may be off). */
export interface Timeouts {
	/** Until the connection can be routed. */
	readonly handshakeMs: number;
	/** Until one upstream address accepts; each further address tried gets the same. */
	readonly connectMs: number;
	/** No byte in either direction. */
	readonly idleMs: number;
	/** Bytes wait, and their reader takes none. */
	readonly stallMs: number;
	/** One direction has ended, and the other is silent. */
	readonly halfClosedMs: number;
	/** Whole life of a session at most; each gets up to a tenth less. 0 = off. */
	readonly lifetimeMs: number;
	/** After SIGTERM, until what is left is closed as `drained`. */
	readonly drainMs: number;
	/** From the first byte of a request's head to its last; the first head of a connection has `handshakeMs`. */
	readonly requestHeadMs: number;
	/** From the end of a request until its answer begins. */
	readonly responseHeadMs: number;
	/** Between two requests of a connection. */
	readonly keepAliveMs: number;
	/** Silence after which a route with `protocol: any` is taken. */
	readonly silenceMs: number;
}

/** Deadlines of what can still be said of a session once it is routed. */
export type RoutedTimeouts = Pick<
	Timeouts,
	"connectMs" | "idleMs" | "stallMs" | "halfClosedMs" | "lifetimeMs" | "responseHeadMs"
>;

/** What sessions of a listener, or of a route, are held to. */
export interface Deadlines {
	readonly timeouts: Timeouts;
	/** Until the kernel gives up a peer that acknowledges nothing, which `stall` must come before; 0: after its own retransmissions. */
	readonly userTimeoutMs: number;
	/** Of sessions of QUIC, instead of `idleMs`. Absent: that. */
	readonly quicIdleMs?: number;
}

export interface Keepalive {
	readonly idleSeconds: number;
	readonly intervalSeconds: number;
	readonly probes: number;
	/** Until the kernel gives up a peer that acknowledges nothing; 0: after its own retransmissions. */
	readonly userTimeoutMs: number;
}

export type RouteProtocol = "tls" | "http" | "ssh" | "h2c" | "quic" | "dtls" | "other" | "any";

/** Fields that a message gets, whatever it had before, and fields that it loses. */
export interface FieldChanges {
	readonly set: Readonly<Record<string, string>>;
	readonly remove: readonly string[];
}

/** What a route does with its requests. */
export interface RouteRequests {
	readonly requestHeaders: FieldChanges;
	readonly responseHeaders: FieldChanges;
	/** Content that a request may have; `null`: any amount. */
	readonly bodyBytes: number | null;
	/** How fast its content must come; 0: it may pause; `null`: as `limits` have it. */
	readonly bodyBytesPerSecond: number | null;
}

/** An answer that needs no upstream. */
export interface FixedAnswerConfig {
	readonly status: number;
	/** Empty: none. */
	readonly body: string;
	readonly contentType: string;
	/** `https`: the same host and path there; an address without a path: the same path there; `null`: nowhere. */
	readonly redirect: string | null;
}

/** What a route takes, and what it does with it: all that reactors are told of it. */
export interface RouteConditions {
	/** Exact name, or `*.suffix`; lower case, no trailing dot. `null`: any name, or none. */
	readonly sni: string | null;
	readonly host: string | null;
	readonly alpn: string | null;
	readonly protocol: RouteProtocol | null;
	readonly source: Cidr | null;
	/** Of a request: all paths that begin with it when it ends in a slash, otherwise only itself. */
	readonly path: string | null;
	/** Of a request that opens a WebSocket: it offers this one. In lower case. */
	readonly subprotocol: string | null;
	/** Name of an upstream; `null`: for `reject`, or because the answer is fixed. */
	readonly to: string | null;
	/** What its requests are answered with here. */
	readonly answer: FixedAnswerConfig | null;
	/** `null`: requests and their answers pass as they are. */
	readonly requests: RouteRequests | null;
	/** Whose requests it takes. Absent: everybody's. */
	readonly basicAuth?: PasswordLists;
	/** How the log and the metrics call it: `sni=git.example.com`, `alpn=h2,source=10.0.0.0/8`, `*`. */
	readonly label: string;
}

/** A route of the file: of each condition that it has one value must fit. */
export interface RouteConfig
	extends Pick<RouteConditions, "to" | "answer" | "requests" | "basicAuth" | "label"> {
	/** `null`: there is no such condition. */
	readonly sni: readonly string[] | null;
	readonly host: readonly string[] | null;
	readonly alpn: readonly string[] | null;
	readonly protocol: readonly RouteProtocol[] | null;
	readonly source: readonly Cidr[] | null;
	readonly path: readonly string[] | null;
	readonly subprotocol: readonly string[] | null;
	/** `null`: those of its listener. */
	readonly deadlines: Deadlines | null;
	/** Sessions at a time; of requests, those that are under way. `null`: any number. */
	readonly connections: number | null;
	/** Per second: connections that it takes as a whole, and requests. `null`: any number. */
	readonly sessionsPerSecond: number | null;
	readonly requestsPerSecond: number | null;
	readonly byteRates: ByteRates;
	/** It is for names of tunnels that no agent holds. No file says so. */
	readonly noTunnel?: boolean;
	/** Of a route to the hub on a listener of bytes: who comes is a subscriber of this channel. Absent: who comes says which. */
	readonly channel?: string;
}

/** A certificate, and the names whose TLS is terminated with it. Files are absolute paths. */
export interface CertificateConfig {
	/** Lower case: exact, `*.example.com` for one label, or `*` for whatever no other entry names. */
	readonly names: readonly string[];
	readonly certFile: string;
	readonly keyFile: string;
	/** Clients must show a certificate of these authorities. `null`: they are not asked for one. */
	readonly clientCaFile: string | null;
	/** An OCSP response that clients are given. */
	readonly ocspFile: string | null;
	/** Protocols for ALPN; empty: what clients offer is ignored. */
	readonly alpn: readonly string[];
}

/**
 * What becomes of paths that are not in their normal form. `match`: routes see the normal form; `strict`: they are refused;
 * `normalize`: the normal form goes on; `as_is`: nothing, and routes see what was written.
 */
export type PathMode = "match" | "strict" | "normalize" | "as_is";

export interface ListenerConfig {
	/** As written: `0.0.0.0:443`. The listener's name in log and metrics. */
	readonly name: string;
	/** `*` listens on IPv4 and IPv6 at once; otherwise an IP literal. */
	readonly host: string;
	readonly port: number;
	readonly backlog: number;
	/** Sessions of this listener; `null`: as many as the process may have. */
	readonly connections: number | null;
	/** Connections taken, and requests, per second, beside those of `Limits`; `null`: any number. */
	readonly acceptsPerSecond: number | null;
	readonly requestsPerSecond: number | null;
	readonly byteRates: ByteRates;
	readonly deadlines: Deadlines;
	readonly proxyProtocol: {
		readonly mode: "off" | "require";
		readonly trusted: readonly Cidr[];
	};
	/** Whose X-Forwarded-For and Forwarded are believed and added to. */
	readonly forwardedTrusted: readonly Cidr[];
	/** In which form paths are compared, taken and sent on. */
	readonly paths: PathMode;
	/** The share of its requests that has a line in the log, from 0 to 1. */
	readonly logRequests: number;
	/** Names that are terminated; TLS of all others passes through. */
	readonly certificates: readonly CertificateConfig[];
	/** Our name in Via; `null`: none is added. */
	readonly via: string | null;
	/** A route asks about requests, or leads to an upstream of requests; of others connections are relayed whole. */
	readonly readsRequests: boolean;
	readonly routes: readonly RouteConfig[];
	/** It takes datagrams. Absent: connections of TCP. */
	readonly datagrams?: DatagramsConfig;
	/** It is for agents of tunnels, and not for clients. No file says so; absent: it is for clients. */
	readonly isForAgents?: boolean;
	/** It is bound nowhere: its sessions come by lines that this process opens as an agent. No file says so; absent: it is bound. */
	readonly isForOwnLines?: boolean;
	/** Names whose TLS passes, although a certificate is for them: agents hold them. No file says so. */
	readonly passes?: readonly string[];
}

/** What holds for a listener on UDP. */
export interface DatagramsConfig {
	/** What becomes of QUIC in versions whose packets cannot be opened: it is dropped, or goes to a route that asks for no name. */
	readonly unknownVersions: "reject" | "route";
}

/** An upstream that takes datagrams. */
export interface DatagramUpstreamConfig {
	/** A session ends behind so many answers; `null`: they do not end it. */
	readonly responses: number | null;
}

/** An agent of a tunnel, as an address of the tunnel's upstream. */
export interface TunnelAddress {
	/** Its number. */
	readonly tunnel: number;
	/** How log, metrics and operators call it. */
	readonly label: string;
	/** Visitors at a time; `null`: any number. */
	readonly maxConnections: number | null;
}

export type ProxyTlv = "sni" | "alpn" | "tls";

export type Balance = "round_robin" | "least_connections" | "source_hash";

export interface HealthConfig {
	readonly intervalMs: number;
	readonly timeoutMs: number;
	/** Failures in a row until an address is down. */
	readonly fall: number;
	/** Successes in a row until it is up again. */
	readonly rise: number;
	/** A request that must be answered well; `null`: an address that accepts is good. */
	readonly http: HttpCheckConfig | null;
	/** Of an upstream that takes datagrams: what is sent, and must be answered by anything. Absent: it takes connections. */
	readonly datagram?: Uint8Array;
}

export interface HttpCheckConfig {
	/** As it stands in the request, query included. */
	readonly path: string;
	/** What Host says. */
	readonly host: string;
	/** Answers that are good: a status in one of these. */
	readonly statuses: readonly StatusRange[];
}

/** Both ends belong to it. */
export interface StatusRange {
	readonly from: number;
	readonly to: number;
}

export interface HttpUpstreamConfig {
	/** What requests are sent with as Host; `null`: what the client asked for. */
	readonly host: string | null;
	/** Trailers of requests go there; otherwise they are dropped. */
	readonly trailers: boolean;
	/** Connections that are kept for further requests; `null`: none is. */
	readonly pool: {
		/** Idle for so long, or so old, or so many requests: then it is closed. */
		readonly idleMs: number;
		readonly ageMs: number;
		readonly requests: number;
		/** Idle connections per address and reactor. */
		readonly connections: number;
	} | null;
}

/** An address of an upstream. All that a name resolves to have the same settings. */
export type UpstreamAddress = Endpoint & {
	/** Its share of sessions: 1 to 256. */
	readonly weight: number;
	/** It gets sessions only while no other address can. */
	readonly backup: boolean;
	/** Sessions at once, over all reactors; `null`: no limit. */
	readonly maxConnections: number | null;
	/** Of an upstream that takes QUIC: what its connection IDs say of it (draft-ietf-quic-load-balancers), 1 to 15 bytes. Absent: nothing. */
	readonly serverId?: Uint8Array;
};

/** How an upstream is spoken to through TLS. */
export interface UpstreamTlsConfig {
	/** `false`: whoever answers is believed. */
	readonly verify: boolean;
	/** What its certificate must be for, and SNI. `null`: the host of each address. */
	readonly serverName: string | null;
	/** Trusted instead of the authorities that Node carries. */
	readonly caFile: string | null;
	/** Shown to an upstream that asks. */
	readonly identity: CertificatePair | null;
}

export interface UpstreamConfig {
	readonly name: string;
	readonly addresses: readonly UpstreamAddress[];
	/** `null`: bytes are relayed. Otherwise requests are sent, each on its own. */
	readonly http: HttpUpstreamConfig | null;
	/** It takes datagrams. Absent: connections. */
	readonly datagrams?: DatagramUpstreamConfig;
	/** `null`: in the open. */
	readonly tls: UpstreamTlsConfig | null;
	/** Instead of those of the listeners whose routes lead to it. */
	readonly timeouts: Partial<RoutedTimeouts>;
	readonly balance: Balance;
	/** PROXY header sent to the upstream. */
	readonly proxyProtocol: "off" | "v1" | "v2";
	/** What a header of version 2 says besides, where it is known. */
	readonly proxyTlvs: readonly ProxyTlv[];
	/** Active checks; `null`: none. Passive ejection is always on. */
	readonly health: HealthConfig | null;
	/** Passive: connect failures in a row that eject an address, and for how long. */
	readonly eject: { readonly failures: number; readonly forMs: number };
	/** How often names are resolved again. */
	readonly resolveMs: number;
	/**
	 * Of a tunnel: the agents that serve it, instead of addresses; how long their lines are kept, and how long one that is to be replaced
	 * waits for that. No file says so.
	 */
	readonly agents?: readonly TunnelAddress[];
	readonly lines?: LinesConfig;
	/** It is the hub, in this process: it has no addresses, and is never dialled. */
	readonly hub?: true;
}

export interface LogConfig {
	readonly level: "debug" | "info" | "warn" | "error" | "silent";
	/** `auto`: JSON unless standard output is a terminal. */
	readonly format: "auto" | "json" | "pretty";
	/** One line per session when it ends. */
	readonly sessions: boolean;
}

export interface TlsConfig {
	/** How often files of certificates are looked at. */
	readonly reloadMs: number;
	/** The field that tells upstreams the subject of a client's certificate. */
	readonly clientSubjectHeader: string | null;
}

/** The certificate that a port of the gateway's own shows. Files are absolute paths. */
export interface CertificatePair {
	readonly certFile: string;
	readonly keyFile: string;
}

/** Where the admin port is, and how it is spoken to. */
export type AdminConfig =
	| {
			readonly kind: "ip";
			readonly host: string;
			readonly port: number;
			/** `null`: in the open. */
			readonly tls: CertificatePair | null;
	  }
	| {
			readonly kind: "unix";
			/** Absolute. */
			readonly path: string;
			/** Permissions of its file, in four octal digits, as `chmod` takes them. */
			readonly mode: string;
	  };

/** Both ends belong to it. */
export interface PortRange {
	readonly from: number;
	readonly to: number;
}

/** Who may log in with a tunnel agent, and what it may offer. */
export interface TunnelAgentConfig {
	/** As it logs in. */
	readonly id: string;
	/** Ed25519 keys, of which it has one: 32 bytes each in base64url. Two, while they are rotated. */
	readonly publicKeys: readonly string[];
	/** Names that it may open, in lower case: `app`, or `dev-*` for all that begin so. */
	readonly names: readonly string[];
	/** Host names outside the domain that it may open: exact, or `*.example.org` for one label. */
	readonly domains: readonly string[];
	/** Ports for `tcp` tunnels; `null`: out of `TunnelsConfig.ports`. */
	readonly ports: PortRange | null;
	/** Several agents may be logged in as this at once, and share its names. */
	readonly shared: boolean;
	/** Visitors of one tunnel at a time, and its bytes per second, both ways together. `null`: any number. */
	readonly connections: number | null;
	readonly bytesPerSecond: number | null;
	/** Whose requests its `http` tunnels take; `null`: everybody's. */
	readonly basicAuth: readonly PasswordEntry[] | null;
}

/** How long lines of a tunnel are kept, and how soon it is found that the agent of one is gone. */
export interface LinesConfig {
	readonly pool: NonNullable<HttpUpstreamConfig["pool"]>;
	readonly replaceMs: number;
	/** Of those that are parked so many are left by WebSockets. */
	readonly reserved: number;
	readonly heartbeatMs: number;
	readonly deadAfterMs: number;
}

/** Where agents connect to, and what they may do. */
export interface TunnelsConfig {
	/** As written: `0.0.0.0:4443`. */
	readonly name: string;
	/** `*` listens on IPv4 and IPv6 at once; otherwise an IP literal. */
	readonly host: string;
	readonly port: number;
	/** `null`: in the open, on loopback alone. */
	readonly tls: CertificatePair | null;
	/** `app` is reached at `app.` and this, in lower case; `null`: names must be those of `domains`. */
	readonly domain: string | null;
	/** For `tcp` tunnels, and for `udp` tunnels; `null`: none but those of agents that have their own. */
	readonly ports: PortRange | null;
	/** Lines parked for each tunnel when nobody comes, and when many do. */
	readonly lines: number;
	readonly linesMax: number;
	/** Of those that are parked so many are left by WebSockets. */
	readonly linesReserved: number;
	/** A line that is older, or has served so many requests, is replaced. */
	readonly ageMs: number;
	readonly requests: number;
	readonly heartbeatMs: number;
	readonly deadAfterMs: number;
	/** How often the way through a parked line of each tunnel is tried; 0: never. */
	readonly canaryMs: number;
	/** Instead of those of listeners; and what visitors are held to who come to a port of their tunnel's own. */
	readonly timeouts: Partial<RoutedTimeouts>;
	readonly deadlines: Deadlines;
	/** The same of visitors who send datagrams to a port of their tunnel's own. */
	readonly datagramDeadlines: Deadlines;
	/** Lines without TLS for what is encrypted end to end. */
	readonly plainLines: boolean;
	/** What becomes of running visitors when the same identity logs in again. */
	readonly superseded: "finish" | "cut";
	readonly agents: readonly TunnelAgentConfig[];
}

/** What becomes of messages for a subscriber that is further behind than its outbox allows. */
export type HubPolicy = "drop-oldest" | "drop-newest" | "conflate" | "disconnect";

/** A channel of the hub, or all whose names fit a pattern. */
export interface HubChannelConfig {
	/** A name, or one in which `*` is for one part, and `**` at the end for all that follow. */
	readonly match: string;
	readonly policy: HubPolicy;
	/** What may wait for one subscriber. */
	readonly outbox: { readonly messages: number; readonly bytes: number };
	/** What of the log subscribers may resume from: so many messages (0: none), none of them older. */
	readonly replay: { readonly messages: number; readonly ageMs: number };
	readonly subscribe: "public" | "token";
	/** `nobody`: operators and programs that hold the gateway publish, and no client. */
	readonly publish: "nobody" | "public" | "token";
	readonly presence: "off" | "count" | "who";
	/** Messages that are published to each of these channels, and that each subscriber is sent; `null`: any number. */
	readonly publishPerSecond: number | null;
	readonly deliverPerSecond: number | null;
}

export interface HubLimits {
	readonly channels: number;
	readonly subscribersPerChannel: number;
	/** Of one connection. */
	readonly subscriptions: number;
	/** Of a message, as it was published. */
	readonly messageBytes: number;
	/** Members of a channel that are told by name. */
	readonly presence: number;
}

/** Where messages are published, and subscribers are told them. */
export interface HubConfig {
	/** A JWK Set, absolute; `null`: no client has a token. */
	readonly keysFile: string | null;
	/** The log of all channels' messages. A multiple of 8. */
	readonly memoryBytes: number;
	readonly heartbeatMs: number;
	readonly deadAfterMs: number;
	/** Clients that are sent away are to come back after up to this. */
	readonly retryMs: number;
	/** Browsers' origins that may come: `https://example.com`, or `*` for all. `null`: those whose host is the request's. */
	readonly origins: readonly string[] | null;
	readonly limits: HubLimits;
	/** The first that matches a name holds for it. */
	readonly channels: readonly HubChannelConfig[];
}

export interface Config {
	/** The file it came from, absolute; `null` when it came from memory. */
	readonly file: string | null;
	/** What can be followed, but not as it was meant: an upstream that leads back to the gateway, for one. */
	readonly warnings: readonly Problem[];
	/** By what names files, `admin`, `listeners.0.tls.1` or `upstreams.web`: `sluice.yaml:7:30` by the absolute path of each, and by `keyPlace` of it. */
	readonly places: ReadonlyMap<string, ReadonlyMap<string, string>>;
	/** What its file says, part by part, so that a reload can say what it changes. */
	readonly parts: WrittenParts;
	/** `null`: no admin port. */
	readonly admin: AdminConfig | null;
	/** Names that the admin port answers to, beside addresses and localhost; in lower case, without a trailing dot. */
	readonly adminHosts: readonly string[];
	/** What the admin port asks for; `null`: no such token. */
	readonly adminTokens: { readonly full: string | null; readonly read: string | null };
	/** `null`: one per core. */
	readonly reactors: number | null;
	readonly limits: Limits;
	readonly timeouts: Timeouts;
	readonly keepalive: Keepalive;
	readonly sockets: Sockets;
	/** How often the ledger is held against the kernel's table of descriptors. */
	readonly ledger: { readonly intervalMs: number };
	readonly log: LogConfig;
	readonly tls: TlsConfig;
	/** Reload when the file changes. */
	readonly watch: boolean;
	readonly listeners: readonly ListenerConfig[];
	readonly upstreams: readonly UpstreamConfig[];
	/** `null`: no agents can connect. */
	readonly tunnels: TunnelsConfig | null;
	/** `null`: there is no hub. */
	readonly hub: HubConfig | null;
}
