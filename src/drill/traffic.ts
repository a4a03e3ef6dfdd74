/**
 * What crosses the wire in a drill. Clients say a TLS hello or an HTTP request; the name in it chooses what the
 * upstream does with them.
 */

import { CONTROL_ALPN, LINE_ALPN } from "../protocol/tunnel/index.js";
import { captureHello } from "../rig/hello.js";

export const NAMES = {
	/** Answered at once. */
	good: "good.drill.test",
	/** As many bytes as one takes. */
	bulk: "bulk.drill.test",
	/** No answer at all. */
	silent: "silent.drill.test",
	/** Requests with a body get no answer; others do, at once. */
	uploads: "uploads.drill.test",
	/** Requests are answered with the last part of their path, when their bodies have come. */
	echo: "echo.drill.test",
	/** TLS that is terminated where requests in the open are answered as well: its name is nobody's there. */
	secure: "secure.drill.test",
	/** A hello that is passed on where others are terminated. */
	relayed: "relayed.drill.test",
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

/** The answer to a request over a connection that is kept. */
export const WEB_BODY = "sluice drill, the web upstream\r\n";
export const WEB_ANSWER: Uint8Array = latin1(
	`HTTP/1.1 200 OK\r\nContent-Length: ${WEB_BODY.length}\r\n\r\n${WEB_BODY}`,
);

/** Before an answer that has no end: a terabyte. */
export const ENDLESS_HEAD: Uint8Array = latin1("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");

/** First byte of a TLS handshake record. */
export const TLS_HANDSHAKE = 0x16;

export function requestHead(host: string): Uint8Array {
	return latin1(
		`GET /drill HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: sluice-drill\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
	);
}

/** A request whose connection may be used again. */
export function keptRequest(name: Name): Uint8Array {
	return latin1(`GET /drill HTTP/1.1\r\nHost: ${NAMES[name]}\r\nUser-Agent: sluice-drill\r\n\r\n`);
}

/** A request that announces a body, and that body. */
export function upload(name: Name, bodyBytes: number): { head: Uint8Array; whole: Uint8Array } {
	const head = `POST /drill HTTP/1.1\r\nHost: ${NAMES[name]}\r\nContent-Length: ${bodyBytes}\r\n\r\n`;
	return { head: latin1(head), whole: latin1(head + "x".repeat(bodyBytes)) };
}

/** What clients of that name say, as TLS and as HTTP. */
export async function sayings(name: Name): Promise<{ hello: Uint8Array; request: Uint8Array }> {
	return { hello: await captureHello(NAMES[name]), request: requestHead(NAMES[name]) };
}

/** What comes to the port of agents, without the name of one: both kinds of hello, and a line in the open. */
export async function agentSayings(): Promise<Uint8Array[]> {
	const hellos = [CONTROL_ALPN, LINE_ALPN].map((alpn) => captureHello(NAMES.good, "TLSv1.3", [alpn]));
	return [...(await Promise.all(hellos)), latin1("SLN1 sixteen bytes ")];
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
