/** A WebSocket without a network: it takes what it is told to take. */
import { EventEmitter } from "node:events";

export class FakeWebSocket extends EventEmitter {
	readyState = 1;
	bufferedAmount = 0;
	/** All that was handed to it, as text. */
	readonly got: string[] = [];
	readonly binary: boolean[] = [];
	readonly #pending: { bytes: number; done: () => void }[] = [];

	/** How many are not taken yet. */
	get pending(): number {
		return this.#pending.length;
	}

	send(data: Uint8Array, { binary }: { binary: boolean }, done: () => void): void {
		this.got.push(Buffer.from(data).toString());
		this.binary.push(binary);
		this.bufferedAmount += data.byteLength;
		this.#pending.push({ bytes: data.byteLength, done });
	}

	/** The kernel takes the oldest. */
	take(): void {
		const oldest = this.#pending.shift();
		if (oldest === undefined) return;
		this.bufferedAmount -= oldest.bytes;
		oldest.done();
	}

	takeAll(): void {
		while (this.#pending.length > 0) this.take();
	}

	terminate(): void {
		this.readyState = 3;
		this.emit("close", 1006);
	}
}
