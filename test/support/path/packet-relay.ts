/**
 * A router between a gateway here and an agent in a network namespace of its own. Both ends are TUN devices of this process, so that
 * it has each packet in its hand: what it drops is neither acknowledged nor refused by anybody.
 *
 *     gateway, 198.19.x.1 ◄──► device ◄──► this process ◄──► device ◄──► 198.19.x.2, agent in the namespace
 */
import { spawnSync } from "node:child_process";
import { openSync, read, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { koffi } from "../../../src/kernel/koffi.js";
import { type Answer, Flows } from "./flows.js";
import { readSegment, resetFor } from "./segment.js";

export type PathOrder =
	| { readonly do: "silent"; readonly isSilent: boolean }
	| { readonly do: "forget"; readonly idleMs: number | null; readonly answer: Answer }
	| { readonly do: "kill half" }
	| { readonly do: "count" };

/** One for each order, and the first by itself. */
export type PathNews =
	| { readonly news: "ready"; readonly address: string; readonly namespace: string }
	| { readonly news: "cannot"; readonly why: string }
	| { readonly news: "done"; readonly flows: number };

/** linux/if_tun.h */
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
/** struct ifreq */
const REQUEST_BYTES = 40;
const NAME_BYTES = 16;

const PACKET_BYTES = 65_536;

const namespace = `sluice-path-${process.pid}`;
const devices = [`sp${process.pid}g`, `sp${process.pid}a`] as const;
// 198.18.0.0/15 is set aside for measuring (RFC 2544); drills have the other half of it.
const base = `198.19.${(process.pid >> 6) & 0xff}.`;
const first = (process.pid & 0x3f) * 4;
const [gateway, agent] = [`${base}${first + 1}`, `${base}${first + 2}`];
const flows = new Flows();

try {
	const [here, there] = makeDevices();
	pump(here, there, false);
	pump(there, here, true);
	say({ news: "ready", address: gateway, namespace });
} catch (error) {
	say({ news: "cannot", why: (error as Error).message });
}
const orders = createInterface({ input: process.stdin });
orders.on("line", (line) => obey(JSON.parse(line) as PathOrder));
orders.on("close", end);
process.on("SIGTERM", end);

function makeDevices(): readonly [number, number] {
	const here = openDevice(devices[0]);
	const there = openDevice(devices[1]);
	ip("netns", "add", namespace);
	ip("addr", "add", gateway, "peer", agent, "dev", devices[0]);
	ip("link", "set", devices[0], "up");
	ip("link", "set", devices[1], "netns", namespace);
	ip("-n", namespace, "addr", "add", agent, "peer", gateway, "dev", devices[1]);
	ip("-n", namespace, "link", "set", devices[1], "up");
	ip("-n", namespace, "link", "set", "lo", "up");
	return [here, there];
}

/** The device is there for as long as this is open. */
function openDevice(name: string): number {
	if (koffi === undefined) throw new Error("a TUN device needs koffi");
	const fd = openSync("/dev/net/tun", "r+");
	const request = Buffer.alloc(REQUEST_BYTES);
	request.write(name, 0, NAME_BYTES - 1);
	request.writeUInt16LE(IFF_TUN | IFF_NO_PI, NAME_BYTES);
	const ioctl = koffi.load(null).func("ioctl", "int", ["int", "ulong", "void *"]);
	if ((ioctl(fd, TUNSETIFF, request) as number) < 0) throw new Error(`${name}: no TUN device can be made`);
	return fd;
}

function ip(...args: readonly string[]): void {
	const { status, stderr, error } = spawnSync("ip", args, { encoding: "utf8" });
	if (error !== undefined) throw error;
	if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr.trim()}`);
}

/** What comes out of one device goes into the other, as the router has it. */
function pump(from: number, to: number, isFromAgent: boolean): void {
	const bytes = Buffer.alloc(PACKET_BYTES);
	const next = (): void =>
		read(from, bytes, 0, bytes.length, null, (error, count) => {
			// A device that is being taken down.
			if (error !== null) return;
			pass(bytes.subarray(0, count), from, to, isFromAgent);
			next();
		});
	next();
}

function pass(packet: Buffer, from: number, to: number, isFromAgent: boolean): void {
	const segment = readSegment(packet);
	// Nothing else matters here.
	if (segment === undefined) return;
	const fate = flows.fate(segment, isFromAgent, performance.now());
	if (fate === "pass") writeSync(to, packet);
	else if (fate === "reset") writeSync(from, resetFor(segment));
}

function obey(order: PathOrder): void {
	let count = flows.open;
	if (order.do === "silent") flows.isSilent = order.isSilent;
	else if (order.do === "forget") flows.forget(order.idleMs, order.answer);
	else if (order.do === "kill half") count = flows.killHalf();
	say({ news: "done", flows: count });
}

function say(news: PathNews): void {
	process.stdout.write(`${JSON.stringify(news)}\n`);
}

/** Devices go with this process. It cannot end by itself: two threads of Node's wait for packets. */
function end(): void {
	spawnSync("ip", ["netns", "del", namespace]);
	process.kill(process.pid, "SIGKILL");
}
