/** Content as it was before it was packed (RFC 9110, 8.4), for people to read. */
import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from "node:zlib";

export interface Unpacked {
	readonly bytes: Buffer;
	/** There is more of it. */
	readonly cut: boolean;
	/** Why it is not all of it. */
	readonly fault: string | undefined;
}

/** Nobody packs twice; who packs a hundred times means no good. */
const CODINGS_MAX = 2;

/** What was packed may be without its end, of which it is kept no more. */
const ZLIB = { finishFlush: constants.Z_SYNC_FLUSH };
const BROTLI = { finishFlush: constants.BROTLI_OPERATION_FLUSH };

/** One at a time: brotli takes 16 MiB for itself. */
let turn: Promise<unknown> = Promise.resolve();

/** `encoding`: Content-Encoding. At most `most` bytes are made, however small they were packed. Never rejects. */
export function unpack(packed: Buffer, encoding: string, most: number): Promise<Unpacked> {
	const unpacked = turn.then(() => unpackNow(packed, encoding, most));
	turn = unpacked;
	return unpacked;
}

async function unpackNow(packed: Buffer, encoding: string, most: number): Promise<Unpacked> {
	const codings = encoding
		.toLowerCase()
		.split(",")
		.map((each) => each.trim())
		.filter((each) => each !== "" && each !== "identity");
	if (codings.length > CODINGS_MAX)
		return { bytes: packed, cut: false, fault: `it is packed more than ${CODINGS_MAX} times` };
	let cut = false;
	let bytes = packed;
	for (const coding of codings.reverse()) {
		const stream = bytes.length === 0 ? undefined : unpacker(coding, bytes);
		if (stream === null) return { bytes, cut, fault: `"${coding}" cannot be unpacked here` };
		if (stream === undefined) continue;
		const result = await drained(stream, bytes, most);
		bytes = result.bytes;
		cut ||= result.cut;
		if (result.fault !== undefined) return { bytes, cut, fault: result.fault };
	}
	return { bytes: bytes.subarray(0, most), cut: cut || bytes.length > most, fault: undefined };
}

function unpacker(coding: string, bytes: Buffer): Transform | null {
	switch (coding) {
		case "gzip":
		case "x-gzip":
			return createGunzip(ZLIB);
		case "deflate":
			// It means zlib's format (RFC 9110, 8.4.1.2), and some servers leave its head out.
			return ((bytes[0] ?? 0) & 0x0f) === 8 ? createInflate(ZLIB) : createInflateRaw(ZLIB);
		case "br":
			return createBrotliDecompress(BROTLI);
		default:
			return null;
	}
}

function drained(stream: Transform, packed: Buffer, most: number): Promise<Unpacked> {
	return new Promise((resolve) => {
		const pieces: Buffer[] = [];
		let left = most;
		const finish = (cut: boolean, fault?: string): void => {
			stream.destroy();
			resolve({ bytes: Buffer.concat(pieces), cut, fault });
		};
		stream.on("data", (piece: Buffer) => {
			pieces.push(piece.subarray(0, left));
			if (piece.length > left) finish(true);
			else left -= piece.length;
		});
		stream.on("end", () => finish(false));
		stream.on("error", (error) => finish(true, `it cannot be unpacked: ${error.message}`));
		stream.end(packed);
	});
}
