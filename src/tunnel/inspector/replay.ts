/** Sends a recorded request to the local service once more. */
import { FRAMING_CHUNKED } from "../../protocol/http/framing.js";
import { parseRequest, RequestHead } from "../../protocol/http/request.js";
import { COMPLETE } from "../../protocol/verdict.js";
import { HostHeader } from "../agent/host-header.js";
import { dialLocal } from "../agent/local.js";
import type { TunnelSettings } from "../agent/settings.js";
import { afterEnd, type Wire } from "../agent/wire.js";
import type { Exchange } from "./exchange.js";
import type { Exchanges } from "./exchanges.js";
import { Follower } from "./follower.js";

/** A service that says nothing for so long is not waited for. */
const SILENCE_MS = 30_000;

/** An answer may go on for so long. */
const WHOLE_MS = 300_000;

/** What is read of a service that sends as fast as it can is read, and forgotten; so many such at a time. */
export const REPLAYS_MAX = 8;

const request = new RequestHead();

/** Why the request of an exchange cannot be sent again, or `undefined`. */
export function whyNoReplay(exchange: Exchange, replays = 0): string | undefined {
	const { head, body, trailers, isOver } = exchange.request;
	if (exchange.method === "") return "its request could not be read";
	if (!isOver) return "its request has not come whole";
	if (exchange.wantsUpgrade) return "it asks for another protocol, of which nothing is kept";
	if (!head.isWhole) return "it is not kept any more";
	if (!body.isWhole || !trailers.isWhole)
		return `only the first ${body.bytes.length} of its content's ${body.total} bytes were kept`;
	if (replays >= REPLAYS_MAX) return `${REPLAYS_MAX} requests are being sent again already`;
	return undefined;
}

/** As it came, but for the cuts between chunks. */
export function requestBytes({ request: { head, body, trailers } }: Exchange): Buffer {
	const isRead = parseRequest(head.bytes, 0, head.bytes.length, request) === COMPLETE;
	if (!isRead || request.framing !== FRAMING_CHUNKED) return Buffer.concat([head.bytes, body.bytes]);
	const chunk = body.total === 0 ? [] : [Buffer.from(`${body.total.toString(16)}\r\n`), body.bytes, CRLF];
	return Buffer.concat([head.bytes, ...chunk, LAST_CHUNK, trailers.bytes]);
}

const CRLF = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n");

export class Replays {
	readonly #exchanges: Exchanges;
	readonly #ended = new AbortController();
	#running = 0;

	constructor(exchanges: Exchanges) {
		this.#exchanges = exchanges;
	}

	get running(): number {
		return this.#running;
	}

	/** Begins; whatever comes of it is in the exchange that is returned. Ask `whyNoReplay` first. */
	start(exchange: Exchange, tunnel: TunnelSettings): Exchange {
		const bytes = requestBytes(exchange);
		const follower = new Follower(this.#exchanges, tunnel.name, exchange.id);
		follower.fromVisitor(bytes);
		const replay = follower.asked;
		if (replay === undefined) throw new Error("a request that was read is none any more");
		this.#running++;
		void this.#run(bytes, replay, follower, tunnel).finally(() => this.#running--);
		return replay;
	}

	/** Never rejects. */
	async #run(bytes: Buffer, replay: Exchange, follower: Follower, tunnel: TunnelSettings): Promise<void> {
		const { hostHeader } = tunnel;
		const sent = hostHeader === undefined ? bytes : new HostHeader(hostHeader).change(bytes);
		try {
			const local = await dialLocal(tunnel, this.#ended.signal);
			await this.#exchange(local, sent, replay, follower);
		} catch (error) {
			replay.why ??= `the service could not be reached: ${(error as Error).message}`;
			follower.ended("connect_refused");
		}
	}

	#exchange(local: Wire, sent: Buffer, replay: Exchange, follower: Follower): Promise<void> {
		const { signal } = this.#ended;
		const { stream, raw } = local;
		return new Promise((resolve) => {
			const finish = (reason: Parameters<Follower["ended"]>[0]): void => {
				clearTimeout(silent);
				clearTimeout(whole);
				signal.removeEventListener("abort", abort);
				follower.ended(reason);
				stream.destroy();
				raw.destroy();
				resolve();
			};
			const silent = setTimeout(() => finish("response_timeout"), SILENCE_MS);
			const whole = setTimeout(() => finish("lifetime"), WHOLE_MS);
			const abort = (): void => finish("drained");
			signal.addEventListener("abort", abort);
			stream.on("data", (bytes: Buffer) => {
				silent.refresh();
				follower.toVisitor(bytes);
				if (replay.isOver) finish("client_closed");
			});
			stream.on("end", () =>
				afterEnd(local, (error) => {
					if (!error) follower.serviceEnded();
					finish(error ? "upstream_reset" : "upstream_closed");
				}),
			);
			stream.on("error", () => finish("upstream_reset"));
			stream.on("close", () => finish("upstream_reset"));
			if (signal.aborted || stream.destroyed) finish(signal.aborted ? "drained" : "upstream_reset");
			else stream.write(sent);
		});
	}

	/** Ends all. */
	close(): void {
		this.#ended.abort();
	}
}
