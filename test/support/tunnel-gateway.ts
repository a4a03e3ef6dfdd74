/** A gateway that speaks docs/tunnel-wire.md by Node's own sockets, and does what a test tells it to. */
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { createServer as createPlain, type Server, type Socket } from "node:net";
import { createServer as createTls, TLSSocket, type Server as TlsServer } from "node:tls";
import { writeProxyV2 } from "../../src/protocol/index.js";
import {
	CHALLENGE_BYTES,
	CONTROL_ALPN,
	EXPORTER_BYTES,
	EXPORTER_LABEL,
	isLineProof,
	LINE_ALPN,
	LINE_GREETING_BYTES,
	LINE_PARKED,
	type Login,
	loginToSign,
	type Message,
	type MessageOf,
	type MessageType,
	NO_EXPORTER,
	NONCE_BYTES,
	type Open,
	PROOF_BYTES,
	type Refused,
	type Ticket,
	writeMessage,
} from "../../src/protocol/tunnel/index.js";
import { type Issued, issue } from "../../src/rig/issue.js";
import { ControlDecoder } from "../../src/tunnel/control-decoder.js";
import { type Identity, isSignature, newToken, readToken } from "../../src/tunnel/keys.js";
import { LOOPBACK, Peer } from "./peers.js";
import type { Scenario } from "./scenario.js";
import { Changes } from "./waiting.js";

export interface GatewayOptions {
	/** Control and lines in the open. */
	readonly insecure?: boolean;
	/** What `opened` says. */
	readonly plain?: boolean;
	readonly heartbeatMs?: number;
	readonly deadAfterMs?: number;
	readonly version?: number;
	/** What a login is refused with. */
	readonly refuse?: (login: Login, count: number) => Omit<Refused, "type"> | undefined;
	/** What is said to `open` instead of `opened`; `undefined`: nothing. */
	readonly answer?: (open: Open, session: AgentSession) => Message | undefined;
	readonly port?: number;
}

/** One control connection, seen from the gateway. */
export class AgentSession {
	readonly stream: Socket;
	readonly gateway: TunnelGateway;
	/** It answers no ping, and says nothing by itself. */
	silent = false;
	closed = false;
	/** What came and nobody asked for yet. */
	readonly #heard: Message[] = [];
	readonly #changes = new Changes();

	constructor(gateway: TunnelGateway, stream: Socket) {
		this.gateway = gateway;
		this.stream = stream;
		stream.on("error", () => {});
		stream.on("end", () => stream.end());
		stream.on("close", () => {
			this.closed = true;
			this.#changes.announce();
		});
	}

	note(message: Message): void {
		this.#heard.push(message);
		this.#changes.announce();
	}

	send(message: Message): void {
		this.stream.write(writeMessage(message));
	}

	/** The next message of that type, in the order in which they came. */
	hear<Type extends MessageType>(type: Type): Promise<MessageOf<Type>> {
		return this.#changes.until(
			() => {
				const index = this.#heard.findIndex((message) => message.type === type);
				if (index >= 0) return this.#heard.splice(index, 1)[0] as MessageOf<Type>;
				if (this.closed) throw new Error(`the agent closed instead of saying "${type}"`);
				return undefined;
			},
			() => `no "${type}"; heard: ${this.#heard.map((each) => each.type).join(", ")}`,
		);
	}

	over(): Promise<true> {
		return this.#changes.until(
			() => (this.closed ? true : undefined),
			() => "it is still open",
		);
	}

	/** Asks for a line, and waits until it is parked. */
	async line(tunnel: number): Promise<Peer> {
		const ticket = this.ticket();
		this.send({ type: "lines", tunnel, tickets: [ticket] });
		return this.gateway.parked(ticket);
	}

	ticket(): Ticket {
		return { id: randomBytes(16), key: randomBytes(32) };
	}
}

/** What stands before a visitor's bytes: from 203.0.113.7:53496 to 192.0.2.1:443. */
export function visitorHeader(): Buffer {
	const bytes = Buffer.alloc(64);
	const from = Uint8Array.of(203, 0, 113, 7);
	return bytes.subarray(0, writeProxyV2(bytes, 0, 4, from, 53_496, Uint8Array.of(192, 0, 2, 1), 443));
}

function newCertificate(): Issued {
	return issue({ commonName: "localhost", names: ["localhost"] });
}

export class TunnelGateway {
	readonly token = newToken("laptop");
	readonly identity: Identity = readToken(this.token);
	certificate: Issued = newCertificate();
	readonly options: GatewayOptions;
	readonly sessions: AgentSession[] = [];
	readonly logins: Login[] = [];
	port = 0;
	/** Connections that are open now. */
	readonly sockets = new Set<Socket>();
	/** Lines on which a proof has come, good or not, and those of them whose session of TLS went on from an earlier connection's. */
	proofs = 0;
	resumed = 0;
	readonly #tickets = new Map<string, Ticket>();
	readonly #parked = new Map<string, Peer>();
	readonly #changes = new Changes();
	readonly #server: Server;
	#tls: TlsServer | undefined;

	constructor(options: GatewayOptions) {
		this.options = options;
		this.#server = createPlain({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
	}

	/** Without colons. */
	get fingerprint(): string {
		const { raw } = new X509Certificate(this.certificate.cert.text);
		return createHash("sha256").update(raw).digest("hex").toUpperCase();
	}

	async listen(): Promise<void> {
		this.#tls = createTls(
			{
				...{ cert: this.certificate.cert.text, key: this.certificate.key.text, allowHalfOpen: true },
				ALPNProtocols: [CONTROL_ALPN, LINE_ALPN],
				minVersion: "TLSv1.3",
			},
			(socket) => {
				if (socket.alpnProtocol === CONTROL_ALPN) this.#serveControl(socket);
				else void this.#serveLine(socket);
			},
		).on("tlsClientError", () => {});
		await new Promise<void>((resolve) => this.#server.listen(this.port, LOOPBACK, resolve));
		this.port = (this.#server.address() as { port: number }).port;
	}

	/** Whoever connects from now on is shown another certificate, and no earlier session of TLS goes on. */
	renew(certificate = newCertificate()): void {
		this.certificate = certificate;
		this.#tls?.setSecureContext({ cert: this.certificate.cert.text, key: this.certificate.key.text });
	}

	#accept(socket: Socket): void {
		this.sockets.add(socket);
		socket.on("error", () => {}).once("close", () => this.sockets.delete(socket));
		socket.once("data", (bytes: Buffer) => {
			socket.pause();
			socket.unshift(bytes);
			const magic = bytes.subarray(0, 4).toString("latin1");
			if (magic === "SLC1" && this.options.insecure === true) this.#serveControl(socket);
			else if (magic === "SLN1") void this.#serveLine(socket);
			else this.#tls?.emit("connection", socket);
		});
	}

	#serveControl(socket: Socket): void {
		const session = new AgentSession(this, socket);
		this.sessions.push(session);
		const challenge = randomBytes(CHALLENGE_BYTES);
		const { heartbeatMs = 15_000, deadAfterMs = 45_000, version = 1 } = this.options;
		const decoder = new ControlDecoder();
		let skipped = socket instanceof TLSSocket ? 0 : 4;
		socket.on("data", (bytes: Buffer) => {
			const rest = bytes.subarray(Math.min(skipped, bytes.length));
			skipped -= bytes.length - rest.length;
			for (const message of decoder.take(rest)) this.#hear(session, challenge, message);
		});
		socket.resume();
		session.send({
			...{ type: "hello", version, challenge, gateway: "fake/1" },
			...{ heartbeat_ms: heartbeatMs, dead_after_ms: deadAfterMs },
		});
		this.#changes.announce();
	}

	#hear(session: AgentSession, challenge: Uint8Array, message: Message): void {
		if (session.silent) return;
		if (message.type === "ping") session.send({ type: "pong", sent_ms: message.sent_ms });
		session.note(message);
		if (message.type === "login") this.#login(session, challenge, message);
		if (message.type !== "open") return;
		const { answer } = this.options;
		const said: Message | undefined =
			answer === undefined
				? {
						type: "opened",
						tunnel: message.tunnel,
						addresses: [`${message.name}.example.com`],
						plain: this.options.insecure === true || this.options.plain === true,
					}
				: answer(message, session);
		if (said !== undefined) session.send(said);
	}

	#login(session: AgentSession, challenge: Uint8Array, login: Login): void {
		this.logins.push(login);
		const { stream } = session;
		const exporter =
			stream instanceof TLSSocket
				? stream.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0))
				: NO_EXPORTER;
		const isKnown =
			login.id === this.identity.id &&
			Buffer.compare(login.key, this.identity.publicKey) === 0 &&
			isSignature(login.key, loginToSign(exporter, challenge, login.id), login.signature);
		const refused = isKnown
			? this.options.refuse?.(login, this.logins.length)
			: { code: "unauthorized", message: "no such agent, or not its key", final: true };
		if (refused !== undefined) {
			session.send({ type: "refused", ...refused });
			stream.end();
			return;
		}
		session.send({ type: "welcome", epoch: this.logins.length });
	}

	async #serveLine(socket: Socket): Promise<void> {
		const peer = new Peer(socket);
		socket.resume();
		try {
			const id = (await peer.take(LINE_GREETING_BYTES)).subarray(4);
			const nonce = randomBytes(NONCE_BYTES);
			await peer.send(nonce);
			const proof = await peer.take(PROOF_BYTES);
			this.proofs++;
			if (socket instanceof TLSSocket && socket.isSessionReused()) this.resumed++;
			const name = id.toString("hex");
			const ticket = this.#tickets.get(name);
			this.#tickets.delete(name);
			if (ticket === undefined || !isLineProof(proof, ticket.key, id, nonce)) {
				socket.destroy();
				return;
			}
			await peer.send(Uint8Array.of(LINE_PARKED));
			this.#parked.set(name, peer);
			this.#changes.announce();
		} catch {
			socket.destroy();
		}
	}

	/** Waits for the line of a ticket, which is good from now on. */
	parked(ticket: Ticket): Promise<Peer> {
		const name = Buffer.from(ticket.id).toString("hex");
		this.#tickets.set(name, ticket);
		return this.#changes.until(
			() => this.#parked.get(name),
			() => "the line is not parked",
		);
	}

	/** Waits for its n-th control connection, counted from 0. */
	session(index = 0): Promise<AgentSession> {
		return this.#changes.until(
			() => this.sessions[index],
			() => `${index + 1} control connections; ${this.sessions.length} came`,
		);
	}

	/** The first tunnel of the n-th control connection, once it is open. */
	async opened(index = 0): Promise<{ session: AgentSession; open: Open }> {
		const session = await this.session(index);
		return { session, open: await session.hear("open") };
	}

	/** Cuts all connections off, as the end of a process does, and listens no more. */
	async kill(): Promise<void> {
		const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
		for (const socket of this.sockets) socket.destroy();
		await closed;
	}
}

export async function startTunnelGateway(
	scenario: Scenario,
	options: GatewayOptions = {},
): Promise<TunnelGateway> {
	const gateway = new TunnelGateway(options);
	gateway.port = options.port ?? 0;
	await gateway.listen();
	scenario.defer(() => gateway.kill().catch(() => {}));
	return gateway;
}
