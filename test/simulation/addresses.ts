/** Addresses that simulated clients come from, or that a PROXY header names: few, so that limits for one are met. */
import type { Random } from "../../src/rig/random.js";

export interface ClientAddress {
	/** As the kernel gives it: 4 or 16 bytes. */
	readonly bytes: Uint8Array;
	/** What it counts as: IPv4 that is dressed as IPv6 is IPv4. */
	readonly family: 4 | 6;
	readonly unmapped: Uint8Array;
}

export function clientAddress(bytes: Uint8Array): ClientAddress {
	const mapped =
		bytes.length === 16 && bytes.subarray(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 0xff));
	const unmapped = mapped ? bytes.subarray(12) : bytes;
	return { bytes, unmapped, family: unmapped.length === 4 ? 4 : 6 };
}

const v4 = (...bytes: number[]) => clientAddress(Uint8Array.of(...bytes));
const mapped = (...bytes: number[]) =>
	clientAddress(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes));
/** 2001:db8:0:network::host */
const v6 = (network: number, host: number) =>
	clientAddress(Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, host));

/** Some twice, some also in another dress, and some of one /64: each must count as one. */
const DIRECT: readonly ClientAddress[] = [
	v4(10, 0, 0, 1),
	v4(10, 0, 0, 1),
	v4(10, 0, 0, 2),
	v4(10, 0, 0, 3),
	v4(10, 0, 0, 4),
	mapped(10, 0, 0, 1),
	mapped(10, 0, 0, 2),
	v6(1, 1),
	v6(1, 2),
	v6(2, 1),
	v6(3, 1),
];

const NAMED: readonly ClientAddress[] = [
	v4(192, 0, 2, 1),
	v4(192, 0, 2, 2),
	v4(192, 0, 2, 3),
	v4(192, 0, 2, 4),
	v4(10, 0, 0, 2),
	mapped(192, 0, 2, 1),
	v6(1, 3),
	v6(4, 1),
	v6(4, 2),
	v6(5, 1),
];

/** Where a connection comes from. */
export function randomAddress(random: Random): ClientAddress {
	return random.pick(DIRECT);
}

/** Whom a balancer speaks for. */
export function randomNamed(random: Random): ClientAddress {
	return random.pick(NAMED);
}

/** Of an upstream's socket, whose own address nobody asks for. */
export const NOWHERE = v4(0, 0, 0, 0);

/** What an address is counted by, worked out apart from the table of sources: IPv6 by its /64. */
export function sourceKey(family: number, bytes: Uint8Array, offset: number): string {
	return `${family}:${bytes.subarray(offset, offset + (family === 4 ? 4 : 8)).join(".")}`;
}
