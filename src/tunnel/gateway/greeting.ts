/** A control connection until its agent has logged in: TLS, hello, login, and then it is a session or refused. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { bracketed } from "../../parts/bracketed.js";
import {
	CHALLENGE_BYTES,
	CONTROL_ALPN,
	CONTROL_MAGIC,
	EXPORTER_BYTES,
	EXPORTER_LABEL,
	type Login,
	type Message,
	NO_EXPORTER,
	type Refused,
	shortened,
	TUNNEL_VERSION,
} from "../../protocol/tunnel/index.js";
import { AgentSession } from "./agent-session.js";
import { Channel, type ChannelListener } from "./channel.js";
import type { House } from "./house.js";

export interface GreetingOptions {
	readonly house: House;
	/** Nothing was read from it. */
	readonly socket: Socket;
	readonly address: string;
	/** `null`: in the open. */
	readonly secureContext: SecureContext | null;
	/** The gateway's name and version. */
	readonly program: string;
	/** There are too many that have not logged in: this one is told so. */
	readonly isCrowded: boolean;
	/** It is over: a session has the channel, or it is closed. */
	readonly over: (greeting: Greeting) => void;
	/** It has the channel, and is ticked as long as that is open. */
	readonly channel: (channel: Channel) => void;
}

export class Greeting implements ChannelListener {
	readonly #options: GreetingOptions;
	readonly #house: House;
	readonly #untilMs: number;
	readonly #challenge = randomBytes(CHALLENGE_BYTES);
	readonly #heartbeatMs: number;
	readonly #deadAfterMs: number;
	#exporter: Uint8Array = NO_EXPORTER;
	#channel: Channel | undefined;
	#gatewayName = "";
	#isOver = false;

	constructor(options: GreetingOptions) {
		this.#options = options;
		this.#house = options.house;
		const { handshakeMs, tunnels } = options.house.settings;
		this.#untilMs = options.house.now() + handshakeMs;
		this.#heartbeatMs = tunnels.heartbeatMs;
		this.#deadAfterMs = tunnels.deadAfterMs;
		const { socket, secureContext } = options;
		socket.on("error", () => {});
		socket.on("close", () => this.#leave());
		socket.setNoDelay(true);
		this.#gatewayName = bracketed(socket.localAddress ?? "");
		if (secureContext === null) this.#awaitMagic(socket);
		else this.#secure(socket, secureContext);
	}

	/**
	 * Node's own server does it the same way: a TLSSocket around a socket whose bytes nobody has read. What fails in the handshake
	 * closes it; failures behind it are told as `_tlsError` alone, unless a server has taken it.
	 */
	#secure(socket: Socket, secureContext: SecureContext): void {
		const secure = new TLSSocket(socket, {
			...{ isServer: true, secureContext, ALPNProtocols: [CONTROL_ALPN] },
			...{ requestCert: false, rejectUnauthorized: false },
		});
		secure.on("error", () => {});
		secure.on("_tlsError", () => secure.destroy());
		secure.once("close", () => this.#leave());
		secure.once("secure", () => {
			if (secure.alpnProtocol !== CONTROL_ALPN || secure.getProtocol() !== "TLSv1.3") {
				secure.destroy();
				return;
			}
			// RFC 9266 has no context; in TLS 1.3 that is an empty one (RFC 8446, 7.5), which Node's types ask for.
			this.#exporter = secure.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
			const { servername } = secure as TLSSocket & { readonly servername?: string | false };
			if (typeof servername === "string" && servername !== "") this.#gatewayName = servername;
			this.#greet(secure);
		});
	}

	/** In the open the agent's first bytes are read here, and dropped; what is behind them is the channel's. */
	#awaitMagic(socket: Socket): void {
		let begun = Buffer.alloc(0);
		const look = (chunk: Buffer): void => {
			begun = Buffer.concat([begun, chunk]);
			const known = Math.min(begun.length, CONTROL_MAGIC.length);
			if (begun.subarray(0, known).compare(CONTROL_MAGIC, 0, known) !== 0) socket.destroy();
			if (socket.destroyed || begun.length < CONTROL_MAGIC.length) return;
			socket.off("data", look);
			this.#greet(socket)?.take(begun.subarray(CONTROL_MAGIC.length));
		};
		socket.on("data", look);
		socket.on("end", () => socket.destroy());
	}

	#greet(stream: Socket): Channel | undefined {
		const { house, isCrowded, program } = this.#options;
		if (this.#isOver) return undefined;
		const channel = new Channel(stream, house.now, this);
		this.#channel = channel;
		this.#options.channel(channel);
		if (isCrowded) {
			this.#refuse("busy", "too many agents are logging in", { retryAfterMs: 1_000 });
			return channel;
		}
		channel.send({
			...{ type: "hello", version: TUNNEL_VERSION, challenge: this.#challenge, gateway: program },
			...{ heartbeat_ms: this.#heartbeatMs, dead_after_ms: this.#deadAfterMs },
		});
		return channel;
	}

	message(message: Message): void {
		if (message.type === "login") void this.#login(message);
		else if (message.type === "bye") this.destroy();
		else this.fault(`a login is expected, not "${message.type}"`);
	}

	async #login(login: Login): Promise<void> {
		const { house, address } = this.#options;
		if (login.version !== TUNNEL_VERSION)
			return this.#refuse("version", `this gateway speaks version ${TUNNEL_VERSION}, not ${login.version}`);
		if (house.isDraining)
			return this.#refuse("draining", "the gateway is about to end", { retryAfterMs: 1_000 });
		const leftMs = Math.ceil(house.delays.left(address));
		if (leftMs > 0)
			return this.#refuse("busy", "a login from this address was wrong: wait", { retryAfterMs: leftMs });
		const config = house.identities.authenticate(login, this.#exporter, this.#challenge);
		if (config === undefined) {
			house.delays.wrong(address);
			return this.#refuse("unauthorized", "no agent of this id has this key, or the signature is wrong");
		}
		const channel = this.#channel;
		if (channel === undefined) return;
		channel.pause();
		const epoch = await house.leases.nextEpoch(config.id);
		// It may have gone meanwhile, and the file may name it no more.
		const current = house.identities.find(config.id, login.key);
		if (this.#isOver) return;
		if (house.isDraining || current === undefined) {
			channel.destroy();
			return;
		}
		new AgentSession({
			...{ house, channel, login, config: current, epoch, address },
			...{ inTheOpen: this.#options.secureContext === null, gatewayName: this.#gatewayName },
			...{ heartbeatMs: this.#heartbeatMs, deadAfterMs: this.#deadAfterMs },
		}).begin();
		this.#leave();
		channel.resume();
	}

	#refuse(code: Refused["code"], message: string, again?: { readonly retryAfterMs: number }): void {
		const { house, address } = this.#options;
		house.refused(code);
		house.log.warn({ address, code, reason: message }, "an agent is refused");
		this.#channel?.end({
			...{ type: "refused", code, message, final: again === undefined },
			...(again === undefined ? {} : { retry_after_ms: again.retryAfterMs }),
		});
		this.#leave();
	}

	fault(what: string): void {
		const { house, address } = this.#options;
		house.refused("protocol");
		house.log.warn({ address, reason: what }, "a control connection does not speak the wire");
		this.#channel?.end({ type: "bye", code: "protocol", message: shortened(what) });
		this.#leave();
	}

	closed(): void {
		this.#leave();
	}

	/** Now and then: it has so long to log in. */
	tick(): void {
		if (this.#house.now() >= this.#untilMs) this.destroy();
	}

	destroy(): void {
		this.#options.socket.destroy();
		this.#channel?.destroy();
		this.#leave();
	}

	#leave(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#options.over(this);
	}
}
