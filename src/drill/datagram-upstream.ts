/**
 * What targets relay datagrams to: one process, one socket. Each datagram is answered at once, by the tag that it was started with and
 * the head of what was said.
 */
import { EPOLLIN } from "../kernel/constants.js";
import { openDatagramListener } from "../kernel/datagram-sockets.js";
import { DATAGRAM_PLACE_BYTES, EMPTY_PLACE, SENDER_BYTES, SENDER_PLACES } from "../kernel/datagrams.js";
import { LinuxKernel } from "../kernel/linux.js";
import { Channel } from "../rig/channel.js";
import { turn } from "../rig/turn.js";
import { answerTo, ECHO_BYTES, type Tag, tagOf } from "./datagram-traffic.js";
import { parseIpv4 } from "./loopback.js";
import type { DatagramUpstreamNews } from "./messages.js";

const ARENA_BYTES = 4096;

const SOCKET = 0;
const ROW = { serials: new Int32Array(1) };
const NO_LOCALS = new Uint8Array(0);

/** Where answers are written: at ANSWERS_AT + place * ANSWER_BYTES. */
const ANSWERS_AT = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
const ANSWER_BYTES = 128;

const tag = tagOf(process.argv[2] as Tag); // whoever starts it is of this package
if (tag.length + ECHO_BYTES > ANSWER_BYTES) throw new RangeError("an answer has no room");
const kernel = new LinuxKernel(ARENA_BYTES);
const datagrams = kernel.openDatagrams();
const channel = new Channel<never, DatagramUpstreamNews>(kernel, () => {});
const address = parseIpv4("127.0.0.1");
const { fds, port } = openDatagramListener({ address, port: 0, bindsAny: false, receiveBytes: null }, 1);
const fd = fds[SOCKET] as number; // one was asked for
kernel.readiness.add(fd, EPOLLIN, SOCKET, 0);
channel.tell({ port });
for (;;) turn(kernel, -1, ROW, hear, channel);

function hear(): void {
	const count = datagrams.receive(fd, 0, SENDER_PLACES);
	for (let place = 0; place < count; place++) answerEach(place);
	flush();
}

/** A message may be several datagrams of one client, which the kernel has put together. */
function answerEach(place: number): void {
	const at = place * DATAGRAM_PLACE_BYTES;
	const length = datagrams.lengthOf(place);
	const segment = Math.max(1, datagrams.segmentOf(place));
	for (let from = 0; from < length; from += segment) {
		const said = datagrams.memory.subarray(at + from, at + Math.min(length, from + segment));
		const answer = answerTo(tag, said);
		if (datagrams.added === SENDER_PLACES) flush();
		const answerAt = ANSWERS_AT + datagrams.added * ANSWER_BYTES;
		datagrams.memory.set(answer, answerAt);
		datagrams.addTo(
			...([answerAt, answer.length, answer.length, 0] as const),
			...([datagrams.senders, place * SENDER_BYTES, NO_LOCALS, -1] as const),
		);
	}
}

/** What cannot be sent is lost, as on any way. */
function flush(): void {
	for (let first = 0; first < datagrams.added; ) {
		const sent = datagrams.flush(fd, first, datagrams.added - first);
		first += sent > 0 ? sent : 1;
	}
	datagrams.clear();
}
