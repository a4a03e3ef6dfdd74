/** One line: opened for a ticket, proven, parked, and used once. It owns its connection and that to the local service. */
import type { Reason } from "../../parts/reasons.js";
import {
	CANARY_BYTES,
	carriesDatagrams,
	LINE_PARKED,
	lineGreeting,
	lineProof,
	lineUse,
	NONCE_BYTES,
	type Ticket,
} from "../../protocol/tunnel/index.js";
import type { AgentDrop } from "./agent-drops.js";
import { DatagramRelay } from "./datagrams.js";
import { HostHeader } from "./host-header.js";
import type { VisitorEnd } from "./line-book.js";
import type { LineState } from "./line-states.js";
import { dialLocal } from "./local.js";
import type { Onlooker } from "./onlooker.js";
import { Relay } from "./relay.js";
import type { TunnelSettings } from "./settings.js";
import { takeVisitor, type Visitor } from "./visitor.js";
import { reset, take, type Wire } from "./wire.js";

/** From the connection to the gateway's word that the line is parked. */
const PROVE_MS = 10_000;

/** What the service's absence is told with has so long to go out. */
const LAST_WORDS_MS = 1_000;

export interface LineWorld {
	/** Connects to the gateway. */
	dial(signal: AbortSignal): Promise<Wire>;
	/** Where visitors go now: a reload may have changed it since the line was opened. */
	settings(): TunnelSettings;
	/** It is parked. */
	parked(line: Line): void;
	/** A visitor has come; `undefined`: requests have. */
	began(line: Line, visitor: Visitor | undefined): void;
	/** Who looks on while requests pass, if anybody does. */
	lookOn?(): Onlooker;
	/** The local service cannot be reached. */
	localFailed(line: Line, message: string): void;
	/** A session of datagrams ends after so long without any, as the gateway has said. */
	idleMs(): number | undefined;
	/** A datagram was not passed on. */
	dropped(cause: AgentDrop): void;
	/** It could not be opened. */
	failed(line: Line, message: string): void;
	/** Once, when all that it held is closed. `end`: how its visitor ended, if one came. */
	closed(line: Line, end: VisitorEnd | undefined): void;
}

export class Line {
	readonly ticket: Ticket;
	readonly #world: LineWorld;
	readonly #given = new AbortController();
	#state: LineState | "closed" = "opening";
	#wire: Wire | undefined;
	#relay: Relay | DatagramRelay | undefined;
	#onlooker: Onlooker | undefined;
	#provingTimer: NodeJS.Timeout | undefined;

	constructor(ticket: Ticket, world: LineWorld) {
		this.ticket = ticket;
		this.#world = world;
	}

	get state(): LineState | "closed" {
		return this.#state;
	}

	/** A visitor is there, or was promised one. */
	get isBusy(): boolean {
		return this.#state === "visitor" || this.#state === "requests";
	}

	/** Never rejects. */
	async run(): Promise<void> {
		try {
			await this.#open();
		} catch (error) {
			if (!this.#isClosed()) this.#world.failed(this, (error as Error).message);
			this.#close(undefined);
			return;
		}
		try {
			await this.#serve();
		} catch {
			// It ended while it was parked, or the two do not understand each other.
			this.#close(undefined);
		}
	}

	async #open(): Promise<void> {
		const { signal } = this.#given;
		const wire = await this.#world.dial(signal);
		this.#wire = wire;
		if (signal.aborted) throw new Error("given up");
		const { stream } = wire;
		this.#provingTimer = setTimeout(() => {
			stream.destroy(new Error(`the gateway has not taken the line within ${PROVE_MS / 1000} s`));
		}, PROVE_MS);
		const { id, key } = this.ticket;
		stream.write(lineGreeting(id));
		const nonce = await take(stream, NONCE_BYTES);
		stream.write(lineProof(key, id, nonce));
		const [answer] = await take(stream, 1);
		if (answer !== LINE_PARKED) throw new Error("the gateway answers what it should not");
		clearTimeout(this.#provingTimer);
		this.#state = "parked";
		this.#world.parked(this);
	}

	async #serve(): Promise<void> {
		const { stream } = this.#wire as Wire;
		for (;;) {
			const first = await take(stream, 1);
			const use = lineUse(first, 0);
			if (use === "visitor") return this.#serveVisitor(await takeVisitor(stream, first));
			const takesDatagrams = carriesDatagrams(this.#world.settings().kind);
			if (use === "requests" && !takesDatagrams) return this.#serveRequests(first);
			if (use !== "canary") return this.#close(undefined);
			stream.write(Buffer.concat([first, await take(stream, CANARY_BYTES - 1)]));
		}
	}

	async #serveVisitor(visitor: Visitor): Promise<void> {
		const takesDatagrams = carriesDatagrams(this.#world.settings().kind);
		if ((visitor.sendsDatagrams ?? takesDatagrams) !== takesDatagrams)
			throw new Error("its PROXY header is of the other transport");
		this.#state = "visitor";
		this.#world.began(this, visitor);
		if (takesDatagrams) {
			this.#relayDatagrams(visitor);
			return;
		}
		const local = await this.#dialLocal();
		if (local === undefined) return;
		const first = this.#world.settings().proxyProtocol === true ? visitor.header : Buffer.alloc(0);
		this.#relay = new Relay(this.#wire as Wire, local, first, (end) => this.#close(end));
	}

	#relayDatagrams({ header }: Visitor): void {
		const { local, proxyProtocol } = this.#world.settings();
		this.#relay = new DatagramRelay(
			{
				...{ line: this.#wire as Wire, local, idleMs: this.#world.idleMs() },
				header: proxyProtocol === true ? header : Buffer.alloc(0),
			},
			{
				dropped: (cause) => this.#world.dropped(cause),
				localFailed: (message) => this.#world.localFailed(this, message),
				ended: (end) => this.#close(end),
			},
		);
	}

	async #serveRequests(first: Buffer): Promise<void> {
		this.#state = "requests";
		this.#world.began(this, undefined);
		this.#onlooker = this.#world.lookOn?.();
		this.#onlooker?.fromVisitor(first);
		const local = await this.#dialLocal();
		if (local === undefined) return;
		const { hostHeader } = this.#world.settings();
		const host = hostHeader === undefined ? undefined : new HostHeader(hostHeader);
		const change = (bytes: Buffer): Buffer => host?.change(bytes) ?? bytes;
		this.#relay = new Relay(this.#wire as Wire, local, change(first), (end) => this.#close(end), {
			change,
			onlooker: this.#onlooker,
		});
	}

	/** `undefined`: it cannot be reached, and the line has been ended for it. */
	async #dialLocal(): Promise<Wire | undefined> {
		const { stream } = this.#wire as Wire;
		// A visitor who has gone needs no service.
		const gone = (): void => this.#given.abort();
		stream.once("close", gone);
		if (stream.destroyed) gone();
		try {
			const local = await dialLocal(this.#world.settings(), this.#given.signal);
			if (!this.#given.signal.aborted) return local;
			reset(local);
			this.#failVisitor("client_reset");
		} catch (error) {
			if (this.#given.signal.aborted) this.#failVisitor("client_reset");
			else {
				const { message } = error as Error;
				this.#world.localFailed(this, message);
				this.#failVisitor("connect_refused", message);
			}
		} finally {
			stream.off("close", gone);
		}
		return undefined;
	}

	/** A visitor is cut by a reset; who asks by HTTP is answered first. */
	#failVisitor(reason: Reason, why = ""): void {
		const end = { reason, bytesFromVisitor: 0, bytesToVisitor: 0 };
		const wire = this.#wire as Wire;
		const { stream } = wire;
		if (this.#state !== "requests" || reason !== "connect_refused") {
			reset(wire);
			this.#close(end);
			return;
		}
		const close = (): void => {
			clearTimeout(late);
			this.#close(end);
		};
		const late = setTimeout(close, LAST_WORDS_MS);
		stream.end(BAD_GATEWAY);
		const onlooker = this.#onlooker;
		onlooker?.unreachable(`the service could not be reached: ${why}`, BAD_GATEWAY);
		if (onlooker !== undefined) stream.on("data", (bytes: Buffer) => onlooker.fromVisitor(bytes));
		// What is left of the request is taken: a reset for it would overtake the answer.
		stream.resume().once("end", close).once("close", close);
	}

	/** Gives up what is not busy yet: nobody has been promised anything. */
	retire(): void {
		if (!this.isBusy) this.#close(undefined);
	}

	/** Ends it whatever it does. */
	cut(reason: Reason): void {
		if (this.#relay !== undefined) this.#relay.cut(reason);
		else if (!this.isBusy) this.#close(undefined);
		else {
			// A visitor must not take a cut for an end.
			if (this.#wire !== undefined) reset(this.#wire);
			this.#close({ reason, bytesFromVisitor: 0, bytesToVisitor: 0 });
		}
	}

	look(now: number): void {
		this.#relay?.look(now);
	}

	/** Awaiting may have closed it. */
	#isClosed(): boolean {
		return this.#state === "closed";
	}

	#close(end: VisitorEnd | undefined): void {
		if (this.#state === "closed") return;
		this.#given.abort();
		clearTimeout(this.#provingTimer);
		this.#wire?.stream.destroy();
		this.#wire?.raw.destroy();
		this.#onlooker?.ended(end?.reason ?? "internal");
		this.#world.closed(this, end);
		this.#state = "closed";
	}
}

const BAD_GATEWAY = Buffer.from(
	[
		"HTTP/1.1 502 Bad Gateway",
		"Content-Type: text/plain; charset=utf-8",
		"Content-Length: 47",
		"Connection: close",
		"",
		"The service behind this tunnel does not answer.",
	].join("\r\n"),
);
