/**
 * A socket that sends packets whole, with whatever source is written into them. Only a drill has a use for it, and only where no packet
 * gets out: in a network namespace whose one interface is loopback.
 */
import { readFileSync } from "node:fs";
import { AF_INET, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./constants.js";
import * as libc from "./libc.js";
import { encodeInternet } from "./sockaddr.js";
import { SystemError } from "./sockets.js";

const SOCK_RAW = 3;
/** The head of IP is written by us: raw(7). */
const IPPROTO_RAW = 255;

/** Opens one that sends to this address (IPv4). Needs CAP_NET_RAW in the namespace. */
export function openRawSocket(to: Uint8Array): number {
	const ways = waysOut();
	if (ways.length > 0)
		throw new Error(
			`packets with made-up sources are sent only where none gets out, and this network namespace has ${ways.join(", ")}`,
		);
	const fd = libc.socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0) throw new SystemError("socket", libc.errno());
	const address = encodeInternet(to, 0);
	if (libc.connect(fd, libc.addressOf(address), address.length) < 0) {
		const error = libc.errno();
		libc.close(fd);
		throw new SystemError("connect", error);
	}
	return fd;
}

/** Interfaces of this network namespace, but for loopback. */
export function waysOut(devices = readFileSync("/proc/net/dev", "latin1")): string[] {
	const names = [...devices.matchAll(/^\s*([^\s:|]+):/gm)].map(([, name = ""]) => name);
	return names.filter((name) => name !== "lo");
}

/** False: the kernel did not take it. */
export function sendPacket(fd: number, packet: Uint8Array): boolean {
	return libc.send(fd, libc.addressOf(packet), packet.length, 0) === packet.length;
}
