/** What the kernel counts of a TCP connection: how many packets a conversation took. */
import assert from "node:assert/strict";
import { IPPROTO_TCP, TCP_INFO } from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";

/** `tcpi_segs_in` of struct tcp_info (include/uapi/linux/tcp.h). */
const SEGMENTS_IN_AT = 140;

/** Segments that have come in to a socket. */
export function segmentsIn(fd: number): number {
	const info = new DataView(new ArrayBuffer(256));
	const length = new Int32Array([256]);
	const result = libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, libc.addressOf(info), libc.addressOf(length));
	assert.equal(result, 0);
	return info.getUint32(SEGMENTS_IN_AT, true);
}
