/** Messages that have been added are sent, and counted. What the kernel does not take is dropped: nothing waits behind it. */
import { ECONNREFUSED, EINTR, EINVAL, EIO, EMSGSIZE } from "../../../kernel/constants.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import type { DatagramContext } from "./context.js";
import { drop, sendDrop } from "./drop.js";

/** Returns the errno of the last one that was refused because nobody listens there, or 0. */
export function flushAdded(
	core: DatagramContext,
	{ io, added, flows }: DatagramTraffic,
	fd: number,
	direction: number,
): number {
	let failure = 0;
	let tries = 0;
	for (let first = 0; first < io.added; ) {
		const sent = io.flush(fd, first, io.added - first);
		for (let index = first; index < first + sent; index++)
			core.counters.passed(added.listener(index), direction, added.datagrams(index), added.bytes(index));
		if (sent > 0) {
			first += sent;
			tries = 0;
			continue;
		}
		if (sent === -EINTR) continue;
		// An earlier datagram's error is told once, in place of this one.
		if (sent === -ECONNREFUSED) failure = ECONNREFUSED;
		if ((sent === -ECONNREFUSED || sent === -EMSGSIZE) && tries++ === 0) continue;
		if (added.datagrams(first) > 1) {
			const apart = sendApart(core, { io, added }, fd, direction, first);
			if (apart > 0 && NOT_CUT.includes(-sent)) flows.apart[added.session(first)] = 1;
		} else drop(core, sendDrop(-sent));
		first++;
		tries = 0;
	}
	io.clear();
	added.clear();
	return failure;
}

/** Datagrams are longer than a path takes in one packet, or a network card does not sum those that the kernel cuts: udp_send_skb. */
const NOT_CUT: readonly number[] = [EINVAL, EMSGSIZE, EIO];

/** A path or a network card cannot take datagrams that the kernel is to cut: they are sent one by one. Returns how many are. */
function sendApart(
	core: DatagramContext,
	{ io, added }: Pick<DatagramTraffic, "io" | "added">,
	fd: number,
	direction: number,
	index: number,
): number {
	let count = 0;
	const segment = added.segment(index);
	for (let piece = added.firstPiece(index); piece < added.endPiece(index); piece++) {
		const end = added.pieceStart(piece) + added.pieceBytes(piece);
		for (let at = added.pieceStart(piece); at < end; at += segment) {
			const length = Math.min(segment, end - at);
			io.narrow(index, at, length);
			const sent = io.flush(fd, index, 1);
			if (sent === 1) {
				core.counters.passed(added.listener(index), direction, 1, length);
				count++;
			} else drop(core, sendDrop(-sent));
		}
	}
	return count;
}
