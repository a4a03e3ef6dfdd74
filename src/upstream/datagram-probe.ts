/** One health check of an address that takes datagrams: what it is sent, it answers, with whatever. */
import { createSocket } from "node:dgram";
import { formatDuration } from "../config/units.js";
import type { Verdict } from "../parts/http-check.js";

export interface DatagramTarget {
	readonly address: string;
	readonly port: number;
	readonly family: 4 | 6;
}

/** Begins a check that ends within `timeoutMs`. Returns how to end it sooner, without a verdict. */
export function datagramProbe(
	{ address, port, family }: DatagramTarget,
	bytes: Uint8Array,
	timeoutMs: number,
	verdict: Verdict,
): () => void {
	const socket = createSocket(family === 6 ? "udp6" : "udp4").unref();
	let isOver = false;
	const end = (): boolean => {
		if (isOver) return false;
		isOver = true;
		clearTimeout(deadline);
		socket.close();
		return true;
	};
	const finish = (error: Error | undefined): void => {
		if (end()) verdict(error);
	};
	const late = new Error(`no answer within ${formatDuration(timeoutMs)}`);
	const deadline = setTimeout(() => finish(late), timeoutMs).unref();
	socket.on("error", finish);
	// Connected, so that it hears of nobody else, and is told when nobody listens there.
	// With a callback, an address that there is no way to would be told to that, and to nobody else.
	socket.once("connect", () => {
		if (!isOver) socket.send(bytes, (error) => error !== null && error !== undefined && finish(error));
	});
	socket.once("message", () => finish(undefined));
	socket.connect(port, address);
	return () => void end();
}
