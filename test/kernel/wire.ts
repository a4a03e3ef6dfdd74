/** Two ends of a TLS connection that do not touch: what one sends reaches the other through the test's hands. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import type { Context } from "../../src/kernel/openssl/context.js";
import { type End, isWaiting, type World } from "./tls.js";

/** Beyond what tests put into the arena. */
const CARRIED_AT = 512 * 1024;
const CARRIED_MAX = 64 * 1024;

/** Changes a byte on its way; `position` counts those that came before in the same direction. */
export type Tamper = (byte: number, position: number) => number;

export class Wire {
	readonly near: End;
	readonly far: End;
	readonly #world: World;
	readonly #nearFd: number;
	readonly #farFd: number;
	#open = true;
	/** Bytes carried so far, from near to far and back. */
	readonly carried: [number, number] = [0, 0];

	constructor(t: TestContext, world: World, server: Context, client: Context) {
		this.#world = world;
		const left = world.link(t);
		const right = world.link(t);
		this.#nearFd = left.far;
		this.#farFd = right.far;
		this.near = world.open(client, left.near);
		this.far = world.open(server, right.near);
		world.defer(() => this.close());
	}

	/** Nothing more comes to far. */
	end(): void {
		this.#world.kernel.shutdownWrite(this.#farFd);
	}

	close(): void {
		if (!this.#open) return;
		this.#open = false;
		this.near.close();
		this.far.close();
		for (const fd of [this.#nearFd, this.#farFd]) this.#world.kernel.close(fd);
	}

	/** Carries up to `length` bytes each way. Returns how many there were. */
	carry(length = CARRIED_MAX, toFar?: Tamper, toNear?: Tamper): number {
		return (
			this.#carry(this.#nearFd, this.#farFd, length, 0, toFar) +
			this.#carry(this.#farFd, this.#nearFd, length, 1, toNear)
		);
	}

	#carry(from: number, to: number, length: number, direction: 0 | 1, tamper?: Tamper): number {
		const { kernel } = this.#world;
		const count = kernel.receive(from, CARRIED_AT, length);
		if (count === -EAGAIN || count === 0) return 0;
		assert.ok(count > 0, `receive: ${count}`);
		if (tamper !== undefined) {
			for (let i = 0; i < count; i++) {
				const byte = kernel.memory[CARRIED_AT + i] ?? 0;
				kernel.memory[CARRIED_AT + i] = tamper(byte, this.carried[direction] + i);
			}
		}
		this.carried[direction] += count;
		assert.equal(kernel.send(to, CARRIED_AT, count), count);
		return count;
	}

	/** Both shake hands, with so many bytes carried between two of their steps. Returns near's result and far's. */
	shake(length = CARRIED_MAX, toFar?: Tamper, toNear?: Tamper): [number, number] {
		const results: [number, number] = [this.near.handshake(), this.far.handshake()];
		// Ends when nothing is on its way: then whoever still waits waits in vain.
		while (this.carry(length, toFar, toNear) > 0) {
			if (isWaiting(results[0])) results[0] = this.near.handshake();
			if (isWaiting(results[1])) results[1] = this.far.handshake();
		}
		return results;
	}
}
