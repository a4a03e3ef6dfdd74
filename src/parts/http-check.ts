/** The request of a health check, and its answer, over a connection that somebody else opens and closes: the gateway to its upstreams, an agent to its local service. */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";

/** More than pages of health say. Whoever says more is cut amid it, and its status counts all the same. */
const BODY_MAX_BYTES = 65_536;

/** Comes once: undefined when what is checked is good, otherwise what was wrong. */
export type Verdict = (error: Error | undefined) => void;

export interface HttpExpectation {
	/** As it stands in the request, query included. */
	readonly path: string;
	/** What Host says. */
	readonly host: string;
	/** Answers that are good: a status in one of these, both ends included. */
	readonly statuses: readonly { readonly from: number; readonly to: number }[];
}

/** A GET and its answer. The status decides; the body is taken, up to a bound, because a reset amid it fills logs. */
export class HttpCheck {
	readonly #expected: HttpExpectation;
	readonly #finish: Verdict;
	#status: number | undefined;

	/** `program`: who asks, for the server's log. */
	constructor(expected: HttpExpectation, program: string, socket: Socket, finish: Verdict) {
		this.#expected = expected;
		this.#finish = finish;
		const asked: ClientRequest = request({
			createConnection: () => socket,
			path: expected.path,
			setHost: false,
			headers: { Host: expected.host, "User-Agent": program, Accept: "*/*", Connection: "close" },
		});
		asked.once("response", (response) => this.#answered(response));
		asked.once("upgrade", (response) => finish(new Error(`answered ${String(response.statusCode)}`)));
		asked.on("error", (error) => {
			if (this.isAnswered) this.conclude();
			else finish(said(error));
		});
		asked.end();
	}

	/** The head of the final answer is there. */
	get isAnswered(): boolean {
		return this.#status !== undefined;
	}

	conclude(): void {
		const status = this.#status ?? 0;
		const isGood = this.#expected.statuses.some(({ from, to }) => status >= from && status <= to);
		this.#finish(isGood ? undefined : new Error(`answered ${status}`));
	}

	#answered(response: IncomingMessage): void {
		this.#status = response.statusCode;
		let bytes = 0;
		response.on("data", (part: Buffer) => {
			bytes += part.length;
			if (bytes > BODY_MAX_BYTES) this.conclude();
		});
		// Before Node, which ends our direction then.
		response.prependOnceListener("end", () => this.conclude());
		// Cut off: its status was there, and that was the question.
		response.on("error", () => this.conclude());
	}
}

/** Node's words for it, where they would puzzle somebody who reads the log. */
function said(error: NodeJS.ErrnoException): Error {
	if (error.message === "socket hang up") return new Error("closed the connection without an answer");
	if (error.code?.startsWith("HPE_") !== true) return error;
	return new Error(`answered what is no HTTP response (${error.message})`);
}
