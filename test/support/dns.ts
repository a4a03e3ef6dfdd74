/** DNS servers on loopback, over UDP or TCP, that answer as a test likes. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, isIPv4 } from "node:net";

const A = 1;
const AAAA = 28;

export interface Question {
	readonly name: string;
	readonly family: 4 | 6;
}

/** Addresses, of which those of the family asked for are sent; a flag or code of RFC 1035, 4.1.1; silence; or rubbish. */
export type Reply =
	| readonly string[]
	| "NXDOMAIN"
	| "SERVFAIL"
	| "REFUSED"
	| "truncated"
	| "silence"
	| "rubbish";

/** `truncated`: ask again over TCP. */
const CODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5, truncated: 0x0200 } as const;

export interface DnsServer {
	/** `127.0.0.1:40123` */
	readonly address: string;
	/** What was asked: `4 app.internal`. */
	readonly asked: readonly string[];
	close(): void;
}

export async function startDns(reply: (question: Question) => Reply, port = 0): Promise<DnsServer> {
	const socket = createSocket("udp4");
	const asked: string[] = [];
	socket.on("message", (message, { address, port: from }) => {
		const answer = answerTo(message, reply, asked);
		if (answer !== undefined) socket.send(answer, from, address);
	});
	socket.bind(port, "127.0.0.1");
	await once(socket, "listening");
	return { address: `127.0.0.1:${socket.address().port}`, asked, close: () => socket.close() };
}

/** The same over TCP: each message stands behind its length (RFC 1035, 4.2.2). */
export async function startDnsOverTcp(reply: (question: Question) => Reply): Promise<DnsServer> {
	const asked: string[] = [];
	const server = createServer((socket) => {
		let rest: Buffer = Buffer.alloc(0);
		socket.on("error", () => {});
		socket.on("data", (bytes) => {
			rest = Buffer.concat([rest, bytes]);
			while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
				const end = 2 + rest.readUInt16BE(0);
				const answer = answerTo(rest.subarray(2, end), reply, asked);
				rest = rest.subarray(end);
				if (answer === undefined) continue;
				const length = Buffer.alloc(2);
				length.writeUInt16BE(answer.length);
				socket.write(Buffer.concat([length, answer]));
			}
		});
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return { address: `127.0.0.1:${port}`, asked, close: () => server.close() };
}

/** `undefined`: it is not answered. */
function answerTo(
	message: Buffer,
	reply: (question: Question) => Reply,
	asked: string[],
): Buffer | undefined {
	const { name, type, end } = readQuestion(message);
	const isAddress = type === A || type === AAAA;
	const family = type === AAAA ? 6 : 4;
	if (isAddress) asked.push(`${family} ${name}`);
	// Of name servers and such nothing is known here.
	const answer = isAddress ? reply({ name, family }) : "REFUSED";
	if (answer === "silence") return undefined;
	// It says that 65,535 questions follow, and ends.
	if (answer === "rubbish")
		return Buffer.concat([message.subarray(0, 2), Buffer.from([0x81, 0x80, 255, 255])]);
	const head = Buffer.alloc(12);
	message.copy(head, 0, 0, 2);
	const addresses =
		typeof answer === "string" ? [] : answer.filter((text) => isIPv4(text) === (family === 4));
	// A response, recursion wanted and available.
	head.writeUInt16BE(0x8180 | (typeof answer === "string" ? CODES[answer] : 0), 2);
	head.writeUInt16BE(1, 4);
	head.writeUInt16BE(addresses.length, 6);
	const records = addresses.map((text) => recordOf(type, text));
	return Buffer.concat([head, message.subarray(12, end), ...records]);
}

function readQuestion(message: Buffer): { name: string; type: number; end: number } {
	const labels: string[] = [];
	let at = 12;
	for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
		labels.push(message.toString("latin1", at + 1, at + 1 + length));
		at += length + 1;
	}
	return { name: labels.join(".").toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function recordOf(type: number, text: string): Buffer {
	const bytes =
		type === A
			? text.split(".").map(Number)
			: text
					.split(":")
					.flatMap((group, index, groups) =>
						group === "" && index > 0 ? new Array<string>(9 - groups.length).fill("0") : [group],
					)
					.flatMap((group) => {
						const value = Number.parseInt(group === "" ? "0" : group, 16);
						return [value >> 8, value & 255];
					});
	const head = Buffer.alloc(12);
	// The name of the question.
	head.writeUInt16BE(0xc00c, 0);
	head.writeUInt16BE(type, 2);
	head.writeUInt16BE(1, 4);
	head.writeUInt32BE(1, 6);
	head.writeUInt16BE(bytes.length, 10);
	return Buffer.concat([head, Buffer.from(bytes)]);
}
