/** An agent that does only what a test says: it connects, logs in as the test wants it, and keeps what it is told. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type SecureVersion, type TLSSocket } from "node:tls";
import {
	CONTROL_ALPN,
	EXPORTER_BYTES,
	EXPORTER_LABEL,
	lineProof,
	loginToSign,
	type Message,
	type MessageOf,
	type MessageType,
	NO_EXPORTER,
	type Open,
	type Ticket,
	TUNNEL_VERSION,
	writeMessage,
} from "../../../src/protocol/tunnel/index.js";
import { ControlDecoder } from "../../../src/tunnel/control-decoder.js";
import { type Identity, signBytes } from "../../../src/tunnel/keys.js";
import type { Scenario } from "../../support/scenario.js";
import { Changes } from "../../support/waiting.js";

export interface LoginChanges {
	readonly exporter?: Uint8Array;
	readonly challenge?: Uint8Array;
	readonly id?: string;
	readonly version?: number;
	readonly instance?: Uint8Array;
}

export class TestAgent {
	readonly socket: Socket;
	readonly received: Message[] = [];
	isClosed = false;
	readonly #changes = new Changes();
	#taken = 0;

	constructor(socket: Socket) {
		this.socket = socket;
		const decoder = new ControlDecoder();
		socket.on("data", (chunk) => {
			this.received.push(...decoder.take(chunk));
			this.#changes.announce();
		});
		socket.on("error", () => {});
		socket.on("close", () => {
			this.isClosed = true;
			this.#changes.announce();
		});
	}

	/** The next message of this type that nobody has taken; those of others before it are passed over. */
	next<Type extends MessageType>(type: Type): Promise<MessageOf<Type>> {
		return this.#changes.until(
			() => {
				const index = this.received.findIndex((each, at) => at >= this.#taken && each.type === type);
				if (index >= 0) {
					this.#taken = index + 1;
					return this.received[index] as MessageOf<Type>;
				}
				if (this.isClosed) throw new Error(`closed before "${type}": ${JSON.stringify(this.received)}`);
				return undefined;
			},
			() => `"${type}" among ${JSON.stringify(this.received)}`,
		);
	}

	closed(): Promise<true> {
		return this.#changes.until(
			() => (this.isClosed ? true : undefined),
			() => "the end of a control connection",
		);
	}

	send(message: Message): void {
		this.socket.write(writeMessage(message));
	}

	get exporter(): Uint8Array {
		return "exportKeyingMaterial" in this.socket
			? (this.socket as TLSSocket).exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0))
			: NO_EXPORTER;
	}

	/** Signs what this connection has, but for what is said otherwise. */
	sign(identity: Identity, challenge: Uint8Array, changes: LoginChanges = {}): MessageOf<"login"> {
		const id = changes.id ?? identity.id;
		const signed = loginToSign(changes.exporter ?? this.exporter, changes.challenge ?? challenge, id);
		return {
			...{ type: "login", version: changes.version ?? TUNNEL_VERSION, id, key: identity.publicKey },
			...{ signature: signBytes(identity, signed), agent: "test/1" },
			instance: changes.instance ?? Buffer.alloc(16, 1),
		};
	}

	async login(identity: Identity, changes: LoginChanges = {}): Promise<number> {
		const { challenge } = await this.next("hello");
		this.send(this.sign(identity, challenge, changes));
		const { epoch } = await this.next("welcome");
		return epoch;
	}

	/** What the gateway says to this login. */
	async refusal(identity: Identity, changes: LoginChanges = {}): Promise<MessageOf<"refused">> {
		const { challenge } = await this.next("hello");
		this.send(this.sign(identity, challenge, changes));
		const refused = await this.next("refused");
		await this.closed();
		return refused;
	}

	async open(tunnel: number, name: string, more: Partial<Open> = {}): Promise<MessageOf<"opened">> {
		this.send({ type: "open", tunnel, kind: "http", name, ...more });
		return this.next("opened");
	}

	async refusedTunnel(
		tunnel: number,
		name: string,
		more: Partial<Open> = {},
	): Promise<MessageOf<"refused_tunnel">> {
		this.send({ type: "open", tunnel, kind: "http", name, ...more });
		return this.next("refused_tunnel");
	}
}

/** Through TLS, believing whoever answers. */
export function connectAgent(
	scenario: Scenario,
	port: number,
	alpn: readonly string[] = [CONTROL_ALPN],
	maxVersion: SecureVersion = "TLSv1.3",
): Promise<TestAgent> {
	const socket = connectTls({
		...{ host: "127.0.0.1", port, servername: "gw.test", rejectUnauthorized: false },
		...{ ALPNProtocols: [...alpn], maxVersion },
	});
	return connected(scenario, socket, "secureConnect");
}

export function connectInTheOpen(scenario: Scenario, port: number, magic: string): Promise<TestAgent> {
	const socket = connectTcp(port, "127.0.0.1", () => socket.write(magic));
	return connected(scenario, socket, "connect");
}

function connected(scenario: Scenario, socket: Socket, event: string): Promise<TestAgent> {
	scenario.defer(() => socket.destroy());
	const agent = new TestAgent(socket);
	return new Promise((resolve, reject) => {
		socket.once(event, () => resolve(agent));
		socket.once("error", reject);
	});
}

/** What a line would send for this ticket. */
export function proofFor({ id, key }: Ticket, nonce: Uint8Array): Buffer {
	return lineProof(key, id, nonce);
}
