/**
 * What the gateway itself answers, as bytes prepared at start: a sentence in plain text, so that a person with curl
 * knows what happened, and no more about the inside than that.
 */

/** Statuses that {@link answer} has. */
export const ANSWER_STATUSES = [
	200, 400, 401, 403, 404, 405, 408, 413, 414, 421, 426, 429, 431, 501, 502, 503, 504, 505, 508,
] as const;

export type AnswerStatus = (typeof ANSWER_STATUSES)[number];

interface Answer {
	readonly reason: string;
	readonly sentence: string;
	/** Fields that the status demands. */
	readonly fields?: string;
}

/** The field is a must with 405 (RFC 9110, 15.5.6); what an upstream allows is not known here. */
const ALLOW = "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n";

const ANSWERS: Readonly<Record<AnswerStatus, Answer>> = {
	// To OPTIONS that may go no further (RFC 9110, 7.6.2).
	200: { reason: "OK", sentence: "this is the gateway's own answer", fields: ALLOW },
	400: { reason: "Bad Request", sentence: "the request is malformed" },
	401: {
		reason: "Unauthorized",
		sentence: "a name and a password are asked for here",
		// RFC 9110, 15.5.2, and RFC 7617, 2.1.
		fields: 'WWW-Authenticate: Basic realm="sluice", charset="UTF-8"\r\n',
	},
	403: { reason: "Forbidden", sentence: "this request is refused here" },
	404: { reason: "Not Found", sentence: "no route leads to this host and path" },
	405: {
		reason: "Method Not Allowed",
		sentence: "this method is not allowed here",
		fields: ALLOW,
	},
	408: { reason: "Request Timeout", sentence: "the request did not come in time" },
	413: { reason: "Content Too Large", sentence: "the content is larger than is taken here" },
	414: { reason: "URI Too Long", sentence: "the address in the request is too long" },
	421: { reason: "Misdirected Request", sentence: "this connection is not for this host" },
	426: {
		reason: "Upgrade Required",
		sentence: "only version 13 of WebSocket is spoken here",
		// RFC 6455, 4.4, and RFC 9110, 15.5.22.
		fields: "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
	},
	429: {
		reason: "Too Many Requests",
		sentence: "more requests came than are taken in this time",
		// A bucket that is refilled every second has something by then (RFC 6585, 4).
		fields: "Retry-After: 1\r\n",
	},
	431: { reason: "Request Header Fields Too Large", sentence: "the head of the request is too large" },
	501: { reason: "Not Implemented", sentence: "this method or transfer coding is not known here" },
	502: { reason: "Bad Gateway", sentence: "the server behind this gateway gave no valid answer" },
	503: { reason: "Service Unavailable", sentence: "no server behind this gateway is free" },
	504: { reason: "Gateway Timeout", sentence: "the server behind this gateway did not answer in time" },
	508: { reason: "Loop Detected", sentence: "the way to the server leads back to this gateway" },
	505: { reason: "HTTP Version Not Supported", sentence: "only HTTP/1.1 and HTTP/1.0 are spoken here" },
};

interface Prepared {
	readonly keeping: Uint8Array;
	readonly closing: Uint8Array;
	readonly headKeeping: Uint8Array;
	readonly headClosing: Uint8Array;
}

const PREPARED = new Map<number, Prepared>(ANSWER_STATUSES.map((status) => [status, prepare(status)]));

/**
 * The whole response. `closes`: with `Connection: close`; otherwise the client may go on, which is right only when
 * its request has been read to its end. `isHead`: the request was HEAD, so there is no body. A 1.0 client takes
 * silence for close; answer it with `closes`.
 */
export function answer(status: AnswerStatus, closes: boolean, isHead: boolean): Uint8Array {
	const prepared = PREPARED.get(status);
	if (prepared === undefined) throw new Error(`no answer is prepared for ${status}`);
	if (isHead) return closes ? prepared.headClosing : prepared.headKeeping;
	return closes ? prepared.closing : prepared.keeping;
}

function prepare(status: AnswerStatus): Prepared {
	return {
		keeping: write(status, false, true),
		closing: write(status, true, true),
		headKeeping: write(status, false, false),
		headClosing: write(status, true, false),
	};
}

function write(status: AnswerStatus, closes: boolean, hasBody: boolean): Uint8Array {
	const { reason, sentence, fields } = ANSWERS[status];
	const body = `${sentence}\n`;
	const options = [...(status === 426 ? ["upgrade"] : []), ...(closes ? ["close"] : [])];
	const connection = options.length > 0 ? `Connection: ${options.join(", ")}\r\n` : "";
	// What a gateway says about now is not to be remembered: 404, 405, 414 and 501 are cacheable unless told.
	const head = `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nContent-Length: ${body.length}\r\n${fields ?? ""}${connection}\r\n`;
	return new TextEncoder().encode(hasBody ? head + body : head);
}
