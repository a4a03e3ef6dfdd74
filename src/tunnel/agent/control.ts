/** One control connection, from its first byte to its last: login, messages, heartbeats. */

import type { Clock } from "../../parts/boot-clock.js";
import {
	type Bye,
	CONTROL_MAGIC,
	EXPORTER_BYTES,
	EXPORTER_LABEL,
	type Hello,
	loginToSign,
	type Message,
	NO_EXPORTER,
	shortened,
	TUNNEL_VERSION,
	TunnelProtocolError,
	writeMessage,
} from "../../protocol/tunnel/index.js";
import { ControlDecoder } from "../control-decoder.js";
import { type Identity, signBytes } from "../keys.js";
import type { Alive } from "./known.js";
import { reset, type Wire } from "./wire.js";

/** From the connection to the welcome. */
const LOGIN_MS = 10_000;

/** A gateway that takes nothing while it goes on asking. */
const BACKLOG_MAX_BYTES = 1_048_576;

/** What is said behind `bye` has so long to go out. */
const LAST_WORDS_MS = 1_000;

const TICK_MIN_MS = 5;
const TICK_MAX_MS = 1_000;

/** Why it ended. */
export interface ControlEnd {
	readonly why: string;
	/** Coming again is of no use. */
	readonly final: boolean;
	/** Not before. */
	readonly retryAfterMs: number;
	/** Visitors that run must go as well. */
	readonly cut: boolean;
}

export interface ControlEvents {
	/** Logged in. */
	ready(epoch: number, alive: Alive): void;
	/** What is not about the connection itself. */
	heard(message: Message): void;
	/** Once, whatever ended it; the connection is closed. Not after `bye` or `close` from here. */
	ended(end: ControlEnd): void;
}

export interface Speaker {
	readonly identity: Identity;
	readonly instance: Uint8Array;
	/** Name and version, for logs. */
	readonly agent: string;
	readonly clock: Clock;
}

export class ControlConnection {
	readonly #wire: Wire;
	readonly #speaker: Speaker;
	readonly #events: ControlEvents;
	readonly #decoder = new ControlDecoder();
	#state: "greeting" | "login" | "ready" | "over" = "greeting";
	#loginTimer: NodeJS.Timeout | undefined;
	#tick: NodeJS.Timeout | undefined;
	#heartbeatMs = 0;
	#deadAfterMs = 0;
	#heardAt: number;
	#saidAt: number;

	constructor(wire: Wire, speaker: Speaker, events: ControlEvents) {
		this.#wire = wire;
		this.#speaker = speaker;
		this.#events = events;
		this.#heardAt = this.#saidAt = speaker.clock();
		const { stream } = wire;
		stream.on("data", (chunk: Buffer) => this.#take(chunk));
		stream.on("error", (error) => this.#lost(`the connection broke: ${error.message}`));
		stream.on("end", () => this.#lost("the gateway closed the connection"));
		stream.on("close", () => this.#lost("the connection was closed"));
		this.#loginTimer = setTimeout(() => this.#end("the gateway has not let the agent in in time"), LOGIN_MS);
		if (wire.tls === undefined) stream.write(CONTROL_MAGIC);
	}

	/** Nothing after the end. */
	send(message: Message): void {
		if (this.#state === "over") return;
		this.#wire.stream.write(writeMessage(message));
		this.#saidAt = this.#speaker.clock();
		if (this.#wire.stream.writableLength > BACKLOG_MAX_BYTES) this.#end("the gateway takes nothing");
	}

	/** Says why, and closes. */
	bye(code: Bye["code"], message: string): void {
		if (this.#state === "over") return;
		const { stream } = this.#wire;
		if (this.#state === "ready")
			stream.write(writeMessage({ type: "bye", code, message: shortened(message) }));
		this.#over();
		stream.end();
		const late = setTimeout(() => reset(this.#wire), LAST_WORDS_MS);
		// Both directions have ended: it is gone, and the gateway has heard it.
		stream.resume().once("end", () => stream.destroy());
		stream.once("close", () => clearTimeout(late));
	}

	/** At once, without a word. */
	close(): void {
		this.#over();
		reset(this.#wire);
	}

	#over(): boolean {
		if (this.#state === "over") return false;
		this.#state = "over";
		clearTimeout(this.#loginTimer);
		clearInterval(this.#tick);
		return true;
	}

	#end(why: string, { final = false, retryAfterMs = 0, cut = false } = {}): void {
		if (!this.#over()) return;
		this.#wire.stream.destroy();
		this.#wire.raw.destroy();
		this.#events.ended({ why, final, retryAfterMs, cut });
	}

	/** Before a word of the gateway's the reason may be that nobody there speaks without TLS. */
	#lost(why: string): void {
		const isUnheard = this.#state === "greeting" && this.#wire.tls === undefined;
		this.#end(isUnheard ? `${why}; a gateway with tunnels.tls wants agents without --insecure` : why);
	}

	#take(chunk: Buffer): void {
		if (this.#state === "over") return;
		this.#heardAt = this.#speaker.clock();
		try {
			for (const message of this.#decoder.take(chunk)) {
				this.#hear(message);
				if (this.#isOver()) return;
			}
		} catch (error) {
			if (!(error instanceof TunnelProtocolError)) throw error;
			this.send({ type: "bye", code: "protocol", message: shortened(error.message) });
			this.#end(`the gateway does not speak as it should: ${error.message}`);
		}
	}

	/** A handler may have ended it. */
	#isOver(): boolean {
		return this.#state === "over";
	}

	#hear(message: Message): void {
		switch (message.type) {
			case "ping":
				this.send({ type: "pong", sent_ms: message.sent_ms });
				return;
			case "pong":
				return;
			case "bye":
				this.#heardBye(message);
				return;
			case "refused":
				this.#end(`the gateway refuses the agent (${message.code}): ${message.message}`, {
					final: message.final,
					retryAfterMs: message.retry_after_ms ?? 0,
				});
				return;
			case "hello":
				if (this.#state !== "greeting") throw new TunnelProtocolError('"hello" comes once');
				this.#login(message);
				return;
			case "welcome":
				if (this.#state !== "login") throw new TunnelProtocolError('"welcome" comes behind a login');
				clearTimeout(this.#loginTimer);
				this.#state = "ready";
				this.#beat();
				this.#events.ready(message.epoch, { heartbeatMs: this.#heartbeatMs, deadAfterMs: this.#deadAfterMs });
				return;
			default:
				if (this.#state !== "ready") throw new TunnelProtocolError(`"${message.type}" before the welcome`);
				this.#events.heard(message);
		}
	}

	#heardBye({ code, message }: Bye): void {
		const words = message === "" ? code : `${code}: ${message}`;
		if (code === "superseded")
			this.#end("another agent has logged in with the same token, and has taken the tunnels over", {
				final: true,
			});
		else if (code === "removed") this.#end(`the gateway ended it (${words})`, { final: true, cut: true });
		else this.#end(`the gateway ended it (${words})`);
	}

	#login({ challenge, heartbeat_ms, dead_after_ms, version, gateway }: Hello): void {
		const { identity, instance, agent } = this.#speaker;
		if (version !== TUNNEL_VERSION) {
			this.#end(
				`${gateway} speaks version ${version} of the tunnels' wire, this agent version ${TUNNEL_VERSION}`,
				{
					final: true,
				},
			);
			return;
		}
		this.#heartbeatMs = heartbeat_ms;
		this.#deadAfterMs = dead_after_ms;
		const { tls } = this.#wire;
		const exporter =
			tls === undefined
				? NO_EXPORTER
				: tls.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
		this.#state = "login";
		this.send({
			...{ type: "login", version: TUNNEL_VERSION, id: identity.id, key: identity.publicKey },
			signature: signBytes(identity, loginToSign(exporter, challenge, identity.id)),
			...{ instance, agent },
		});
	}

	#beat(): void {
		const each = Math.min(this.#heartbeatMs / 2, this.#deadAfterMs / 4);
		const look = (): void => {
			const now = this.#speaker.clock();
			if (now - this.#heardAt >= this.#deadAfterMs) this.#suspect();
			else if (now - this.#saidAt >= this.#heartbeatMs) this.send({ type: "ping", sent_ms: Math.round(now) });
		};
		this.#tick = setInterval(look, Math.min(TICK_MAX_MS, Math.max(TICK_MIN_MS, each)));
	}

	/** A process that was stopped looks at its clock before its sockets: what has come meanwhile is heard first. */
	#suspect(): void {
		setImmediate(() => {
			if (this.#isOver() || this.#speaker.clock() - this.#heardAt < this.#deadAfterMs) return;
			this.#end(`nothing was heard from the gateway for ${Math.round(this.#deadAfterMs) / 1000} s`);
		});
	}
}
