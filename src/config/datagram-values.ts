/** Values of listeners and upstreams on UDP as they stand in the file: where datagrams go, server IDs, what a check sends. */
import { parseEndpoint } from "./address.js";
import type { Endpoint } from "./config.js";
import { InvalidValue } from "./errors.js";

/** What a connection ID holds of its server: draft-ietf-quic-load-balancers, with four bytes and more left for a nonce. */
const SERVER_ID_MAX_BYTES = 15;

/** Fits every path that QUIC works on (RFC 9000, section 14), so that a check is never cut into fragments. */
const PROBE_MAX_BYTES = 1_200;

/**
 * Where datagrams go: `10.0.0.5:443`, `[fd00::5]:443` or `app.internal:443`.
 *
 * @throws InvalidValue
 */
export function parseUdpEndpoint(text: string): Endpoint {
	const [, place] = /^(.*)\/(?:udp|quic)$/i.exec(text) ?? [];
	if (place !== undefined) throw new InvalidValue(`under "udp" an address stands alone: write ${place}`);
	if (/^(unix:|\/)/.test(text))
		throw new InvalidValue("datagrams go to an IP address or a host name with a port, such as 10.0.0.5:443");
	return parseEndpoint(text);
}

/**
 * What a server says of itself in its connection IDs, as hex digits: `0a01`.
 *
 * @throws InvalidValue
 */
export function parseServerId(text: string): Uint8Array {
	const plain = text.replace(/^0x/i, "").replace(/[:\s_-]/g, "");
	if (!/^[0-9a-f]+$/i.test(plain))
		throw new InvalidValue(`expected hex digits such as "0a01", found "${text}"`);
	if (plain !== text) throw new InvalidValue(`only hex digits stand here: write "${plain}"`);
	if (text.length % 2 !== 0)
		throw new InvalidValue(
			`a byte is two hex digits, and "${text}" is an odd number of them: write "0${text}"`,
		);
	const bytes = fromHex(text);
	if (bytes.length <= SERVER_ID_MAX_BYTES) return bytes;
	throw new InvalidValue(
		`a server ID has 1 to ${SERVER_ID_MAX_BYTES} bytes, and these are ${bytes.length} (draft-ietf-quic-load-balancers)`,
	);
}

/**
 * What a check sends: a text as it stands, or bytes in hex behind `hex:`.
 *
 * @throws InvalidValue
 */
export function parseProbe(text: string): Uint8Array {
	const [, digits] = /^hex:(.*)$/is.exec(text) ?? [];
	const bytes = digits === undefined ? new TextEncoder().encode(text) : probeBytes(digits);
	if (bytes.length === 0) throw new InvalidValue("nothing would be sent, and nobody would answer that");
	if (bytes.length <= PROBE_MAX_BYTES) return bytes;
	throw new InvalidValue(`at most ${PROBE_MAX_BYTES} bytes can be sent, and these are ${bytes.length}`);
}

function probeBytes(digits: string): Uint8Array {
	const plain = digits.replace(/\s+/g, "");
	if (!/^[0-9a-f]*$/i.test(plain) || plain.length % 2 !== 0)
		throw new InvalidValue(`expected bytes of two hex digits each, such as hex:00ff, found "hex:${digits}"`);
	return fromHex(plain);
}

function fromHex(digits: string): Uint8Array {
	return Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
