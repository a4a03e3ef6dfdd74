/**
 * Protocols of small messages, as far as a relay sees them: who speaks when, and in how many writes. The words are those
 * of real sessions; nobody here understands them.
 */

export interface Step {
	readonly from: "server" | "client";
	/** One message, in the pieces that its sender writes. */
	readonly writes: readonly Uint8Array[];
}

export type DialogueName = "smtp" | "mysql" | "postgres";

export const DIALOGUE_NAMES: readonly DialogueName[] = ["smtp", "mysql", "postgres"];

/** Sides take turns, and the server has the last word: it then ends the connection. */
export const DIALOGUES: Readonly<Record<DialogueName, readonly Step[]>> = {
	/** RFC 5321, appendix D.1. */
	smtp: [
		server(text("220 mail.bench.test ESMTP ready\r\n")),
		client(text("EHLO client.bench.test\r\n")),
		server(text("250-mail.bench.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n")),
		client(text("MAIL FROM:<from@bench.test>\r\n")),
		server(text("250 2.1.0 Ok\r\n")),
		client(text("RCPT TO:<to@bench.test>\r\n")),
		server(text("250 2.1.5 Ok\r\n")),
		client(text("DATA\r\n")),
		server(text("354 End data with <CR><LF>.<CR><LF>\r\n")),
		client(text(`Subject: bench\r\n\r\n${"A line of a letter.\r\n".repeat(20)}`), text(".\r\n")),
		server(text("250 2.0.0 Ok: queued\r\n")),
		client(text("QUIT\r\n")),
		server(text("221 2.0.0 Bye\r\n")),
	],
	/** Packets with a head of three bytes of length and one of sequence; clients write head and body apart. */
	mysql: [
		server(packet(0, 74)),
		client(...apart(packet(1, 90))),
		server(packet(2, 7)),
		client(packet(0, 33)),
		server(packet(1, 120)),
		client(packet(0, 40)),
		server(packet(1, 300)),
	],
	/** The client speaks first. Its first bytes are those of a StartupMessage, version 3.0. */
	postgres: [
		client(bytes(84, 0, 0, 0, 84, 0, 3, 0, 0)),
		server(bytes(24, 0x52)),
		client(bytes(54, 0x70)),
		server(bytes(330, 0x52)),
		client(bytes(40, 0x51)),
		server(bytes(120, 0x54)),
		client(bytes(40, 0x51)),
		server(bytes(120, 0x54)),
	],
};

export function bytesOf(step: Step): number {
	return step.writes.reduce((sum, piece) => sum + piece.length, 0);
}

function server(...writes: Uint8Array[]): Step {
	return { from: "server", writes };
}

function client(...writes: Uint8Array[]): Step {
	return { from: "client", writes };
}

function text(words: string): Uint8Array {
	return new TextEncoder().encode(words);
}

/** So many bytes, of which the first are these. */
function bytes(length: number, ...first: number[]): Uint8Array {
	const all = new Uint8Array(length).fill(0x2e);
	all.set(first);
	return all;
}

function packet(sequence: number, bodyBytes: number): Uint8Array {
	return bytes(4 + bodyBytes, bodyBytes & 0xff, bodyBytes >> 8, 0, sequence);
}

function apart(whole: Uint8Array): [Uint8Array, Uint8Array] {
	return [whole.subarray(0, 4), whole.subarray(4)];
}
