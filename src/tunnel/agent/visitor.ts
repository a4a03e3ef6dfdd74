/** Who a visitor is: the PROXY header of version 2 that stands before a visitor's bytes. */
import type { Socket } from "node:net";
import { bracketed } from "../../parts/bracketed.js";
import { formatAddress } from "../../protocol/address.js";
import { PROXY_HEADER_LIMIT_BYTES, ProxyHeader, parseProxyHeader } from "../../protocol/proxy-protocol.js";
import { COMPLETE } from "../../protocol/verdict.js";
import { take } from "./wire.js";

const FIXED_BYTES = 16;

export interface Visitor {
	/** `203.0.113.7:53496`; `undefined` when the header does not say. */
	readonly source: string | undefined;
	/** The header as it came. */
	readonly header: Buffer;
	/** What follows are frames of datagrams; `undefined`: the header does not say. */
	readonly sendsDatagrams: boolean | undefined;
}

/** Takes the header off a line; `first` is its first byte. Rejects when it is none: then the two do not understand each other. */
export async function takeVisitor(stream: Socket, first: Buffer): Promise<Visitor> {
	const fixed = Buffer.concat([first, await take(stream, FIXED_BYTES - 1)]);
	const length = fixed.readUInt16BE(14);
	if (FIXED_BYTES + length > PROXY_HEADER_LIMIT_BYTES) throw new Error("its PROXY header is too long");
	const header = length === 0 ? fixed : Buffer.concat([fixed, await take(stream, length)]);
	const read = new ProxyHeader();
	if (parseProxyHeader(header, 0, header.length, read) !== COMPLETE)
		throw new Error(`it does not begin with a PROXY header (${read.cause})`);
	return { source: sourceOf(read), header, sendsDatagrams: read.isLocal ? undefined : read.isDatagram };
}

function sourceOf({ family, sourceAddress, sourcePort }: ProxyHeader): string | undefined {
	if (family === 0) return undefined;
	return `${bracketed(formatAddress(sourceAddress, 0, family))}:${sourcePort}`;
}
