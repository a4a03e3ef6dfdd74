/** What a route answers by itself: a status with a text of the operator's, or another address (RFC 9110, 15.4). */
import { STATUS_CODES } from "node:http";

const ENCODER = new TextEncoder();

/** Statuses that have no body (RFC 9110, 6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

export interface FixedAnswerOptions {
	readonly status: number;
	/** Empty: none. */
	readonly body: string;
	readonly contentType: string;
	/**
	 * Where the client is sent: `https`: the same host and path there; an address without a path: the same path there; otherwise
	 * this address. `null`: nowhere.
	 */
	readonly redirect: string | null;
}

export class FixedAnswer {
	readonly status: number;
	readonly #redirect: string | null;
	/** The redirect names no path. */
	readonly #keepsPath: boolean;
	readonly #line: string;
	readonly #fields: string;
	readonly #body: Uint8Array;

	constructor({ status, body, contentType, redirect }: FixedAnswerOptions) {
		this.status = status;
		this.#redirect = redirect;
		this.#keepsPath = redirect === "https" || /^https?:\/\/[^/]+$/.test(redirect ?? "");
		this.#line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
		const hasBody = !BODILESS.has(status);
		this.#body = ENCODER.encode(hasBody ? body : "");
		const type = this.#body.length === 0 ? "" : `Content-Type: ${contentType}\r\n`;
		this.#fields = hasBody ? `${type}Content-Length: ${this.#body.length}\r\n` : "";
	}

	/** Whether {@link write} needs to know what was asked for. */
	get redirects(): boolean {
		return this.#redirect !== null;
	}

	/**
	 * The whole response. `closes`: with `Connection: close`. `host`: what was asked for, without the port; `path`: with its query;
	 * one character for each byte.
	 */
	write(closes: boolean, isHead: boolean, host: string, path: string): Uint8Array {
		const location = this.#locationFor(host, path);
		const connection = closes ? "Connection: close\r\n" : "";
		// A path may have bytes that are no UTF-8: each is one character here.
		const head = Buffer.from(`${this.#line}${location}${this.#fields}${connection}\r\n`, "latin1");
		return isHead ? head : Buffer.concat([head, this.#body]);
	}

	#locationFor(host: string, path: string): string {
		if (this.#redirect === null) return "";
		if (!this.#keepsPath) return `Location: ${this.#redirect}\r\n`;
		const origin = this.#redirect === "https" ? `https://${host}` : this.#redirect;
		return `Location: ${origin}${path === "" ? "/" : path}\r\n`;
	}
}
