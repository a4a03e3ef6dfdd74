/**
 * What crosses the wire in a drill. Clients say a TLS hello or an HTTP request; the name in it chooses what the
 * upstream does with them.
 */
import { captureHello } from "./hello.js";

export const NAMES = {
	/** Answered at once. */
	good: "good.drill.test",
	/** As many bytes as one takes. */
	bulk: "bulk.drill.test",
	/** No answer at all. */
	silent: "silent.drill.test",
	/** A few bytes, again and again. */
	chatter: "chatter.drill.test",
} as const;

export type Name = keyof typeof NAMES;

/** What the upstream answers to a TLS hello. Nobody here decrypts, so it need not be TLS; it must be told from the other. */
export const TLS_ANSWER: Uint8Array = latin1("sluice drill, the tls upstream\r\n");

const BODY = "sluice drill, the http upstream\r\n";
export const HTTP_ANSWER: Uint8Array = latin1(
	`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\nConnection: close\r\n\r\n${BODY}`,
);

/** First byte of a TLS handshake record. */
export const TLS_HANDSHAKE = 0x16;

export function requestHead(host: string): Uint8Array {
	return latin1(
		`GET /drill HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: sluice-drill\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
	);
}

/** What clients of that name say, as TLS and as HTTP. */
export async function sayings(name: Name): Promise<{ hello: Uint8Array; request: Uint8Array }> {
	return { hello: await captureHello(NAMES[name]), request: requestHead(NAMES[name]) };
}

export function latin1(text: string): Uint8Array {
	return Uint8Array.from(Buffer.from(text, "latin1"));
}

export function toBase64(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("base64");
}

export function fromBase64(text: string): Uint8Array {
	return Uint8Array.from(Buffer.from(text, "base64"));
}
