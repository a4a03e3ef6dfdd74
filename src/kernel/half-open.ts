/**
 * Half-open connections of listeners: a SYN came and was answered, and the answer's acknowledgement has not come. They have no descriptor
 * and stand in no accept queue. Asked of sock_diag(7), where the kernel picks them out itself: /proc/net/tcp has a row for each connection.
 */
import { AF_INET, IPPROTO_TCP, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./constants.js";
import * as libc from "./libc.js";
import { SystemError } from "./sockets.js";

export interface HalfOpen {
	/** Of the listener's side: 4 bytes, or 16. */
	readonly address: Uint8Array;
	readonly port: number;
	readonly count: number;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_SOCK_DIAG = 4;

/** `struct nlmsghdr`: length, type, flags, sequence, port. */
const HEADER_BYTES = 16;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x001 | 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

/** `struct inet_diag_req_v2`: family, protocol, extensions, padding, states, and a `struct inet_diag_sockid` of 48 bytes. */
const REQUEST_BYTES = HEADER_BYTES + 8 + 48;
const STATES_AT = HEADER_BYTES + 4;
/** The kernel shows its own state of those whose handshake is not over under this one as well. */
const SYN_RECEIVED = 1 << 3;

/** `struct inet_diag_msg`: family, state, timer, retransmits; then ports and addresses. */
const PORT_AT = HEADER_BYTES + 4;
const ADDRESS_AT = HEADER_BYTES + 8;

/** A dump comes in pieces of at most this. */
const PIECE_BYTES = 32_768;
/** A million half-open connections: more than listeners have room for. */
const PIECES_MAX = 4_096;

/**
 * Those of this network namespace, by the address and port that they came to, of listeners of these families. The kernel looks at all
 * connections for each family, which takes it some 4 ms where there are 18,000.
 *
 * @throws SystemError where the kernel does not tell (no sock_diag), or no descriptor is left
 */
export function halfOpenConnections(families: ReadonlySet<number>): HalfOpen[] {
	const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0) throw new SystemError("socket", libc.errno());
	const found = new Map<string, HalfOpen>();
	try {
		for (const family of families) dump(fd, family, found);
	} finally {
		libc.close(fd);
	}
	return [...found.values()];
}

function dump(fd: number, family: number, found: Map<string, HalfOpen>): void {
	const request = Buffer.alloc(REQUEST_BYTES);
	request.writeUInt32LE(REQUEST_BYTES, 0);
	request.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
	request.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
	request[HEADER_BYTES] = family;
	request[HEADER_BYTES + 1] = IPPROTO_TCP;
	request.writeUInt32LE(SYN_RECEIVED, STATES_AT);
	if (libc.send(fd, libc.addressOf(request), request.length, 0) < 0)
		throw new SystemError("send", libc.errno());
	const piece = Buffer.alloc(PIECE_BYTES);
	for (let pieces = 0; pieces < PIECES_MAX; pieces++) {
		// What was asked for is there when send returns: nothing has to be waited for.
		const length = libc.recv(fd, libc.addressOf(piece), piece.length, 0);
		if (length < 0) throw new SystemError("recv", libc.errno());
		if (takePiece(piece.subarray(0, length), family, found)) return;
	}
}

/** True at the end of the dump. */
function takePiece(piece: Buffer, family: number, found: Map<string, HalfOpen>): boolean {
	for (let at = 0; at + HEADER_BYTES <= piece.length; ) {
		const length = piece.readUInt32LE(at);
		const type = piece.readUInt16LE(at + 4);
		if (type === NLMSG_DONE) return true;
		if (type === NLMSG_ERROR) throw new SystemError("sock_diag", -piece.readInt32LE(at + HEADER_BYTES));
		if (length < HEADER_BYTES) return true; // no kernel says so; it would be read for ever
		const port = piece.readUInt16BE(at + PORT_AT);
		const bytes = family === AF_INET ? 4 : 16;
		const address = Uint8Array.from(piece.subarray(at + ADDRESS_AT, at + ADDRESS_AT + bytes));
		const key = `${port} ${address.join(".")}`;
		found.set(key, { address, port, count: (found.get(key)?.count ?? 0) + 1 });
		at += (length + 3) & ~3;
	}
	return false;
}
