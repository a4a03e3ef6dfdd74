/** Who may come in: limits on all clients together, on each of them, and on descriptors. */
import type { IncomingMessage } from "node:http";
import { descriptorLimit } from "../kernel/proc.js";
import type { Reason } from "../parts/reasons.js";
import type { Bucket } from "../parts/token-bucket.js";
import { type Connection, descriptorOf, nowInMs } from "./connection.js";
import type { Tally } from "./counts.js";
import { clientOf, isIn } from "./forwarded.js";
import type { Resolved } from "./options.js";
import { type Refusal, rateOf, Sources, sourceOf } from "./sources.js";

export class Admission {
	/** Descriptors with numbers below it may be used. */
	readonly descriptorsMost: number;
	readonly #limits: Resolved;
	readonly #tally: Tally;
	readonly #sources: Sources;
	readonly #rate: Bucket | undefined;

	constructor(limits: Resolved, tally: Tally) {
		this.#limits = limits;
		this.#tally = tally;
		this.#sources = new Sources(limits.connectionsPerAddress, limits.acceptsPerSecondPerAddress);
		this.#rate = rateOf(limits.acceptsPerSecond, nowInMs());
		this.descriptorsMost = descriptorLimit() - limits.descriptorReserve;
	}

	/** Client addresses that are counted. */
	get addresses(): number {
		return this.#sources.size;
	}

	/** What forbids any connection, whoever it is from. */
	refusalOf(connection: Connection, nowMs: number): Reason | undefined {
		if (this.#tally.open > this.#limits.connections) return "limit_connections";
		if (this.#rate?.take(1, nowMs) === false) return "limit_rate";
		// The kernel gives the lowest number that is free, so this one tells how many are in use.
		return descriptorOf(connection.socket) >= this.descriptorsMost ? "fd_pressure" : undefined;
	}

	/** A connection whose client is known. Those of trusted proxies are not counted: their requests are. */
	enter(connection: Connection, nowMs: number): Refusal | undefined {
		if (!this.#sources.isOn) return undefined;
		const { address } = connection;
		// A Unix socket has none: as one address all of its clients together would be limited.
		if (address === "") return undefined;
		const { forwardedTrusted } = this.#limits;
		if (forwardedTrusted !== null && isIn(forwardedTrusted, address)) return undefined;
		return this.enterAs(connection, address, nowMs);
	}

	/** The same for a client that is not its peer. */
	enterAs(connection: Connection, client: string, nowMs: number): Refusal | undefined {
		const source = sourceOf(client);
		const refusal = this.#sources.enter(source, nowMs);
		if (refusal === undefined) connection.source = source;
		return refusal;
	}

	leave({ source }: Connection): void {
		if (source !== "") this.#sources.leave(source);
	}

	/** For whom a trusted proxy asks; `undefined`: the connection's client asks for itself. */
	clientOf(request: IncomingMessage, connection: Connection): string | undefined {
		const { forwardedTrusted, forwardedHeader } = this.#limits;
		if (forwardedTrusted === null || !isIn(forwardedTrusted, connection.address)) return undefined;
		return clientOf(request, forwardedTrusted, forwardedHeader);
	}

	/** One request of a client; `undefined`: it may come, and must leave. */
	enterRequest(client: string): Refusal | undefined {
		return this.#sources.enter(sourceOf(client), nowInMs());
	}

	leaveRequest(client: string): void {
		this.#sources.leave(sourceOf(client));
	}
}
