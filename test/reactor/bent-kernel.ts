/** The real kernel, except for what a test bends: its clock, and calls that fail or forget. */
import { EAGAIN } from "../../src/kernel/constants.js";
import { LinuxKernel } from "../../src/kernel/linux.js";

export class BentKernel extends LinuxKernel {
	/** The clock is so far ahead. */
	aheadMs = 0;
	#stoppedAtMs: number | undefined;
	/** `socket` fails with this errno so many times. */
	socketErrno = 0;
	socketFailures = 0;
	/** Descriptors that `close` leaves open: a leak. */
	readonly forgets = new Set<number>();

	/** So many sends fail: their connection is still being made, or what else this says. */
	unconnectedSends = 0;
	sendErrno = EAGAIN;
	override send(fd: number, offset: number, length: number, more?: boolean): number {
		if (this.unconnectedSends === 0) return super.send(fd, offset, length, more);
		this.unconnectedSends--;
		return -this.sendErrno;
	}

	/** What `undelivered` says, instead of the truth. */
	undeliveredBytes: number | undefined;

	/** Called when bytes have been taken from a connection. */
	whenTaken: (() => void) | undefined;

	/** So many receives find nothing, whatever is there. */
	emptyReceives = 0;

	/** The next receive of this descriptor takes so many bytes at most: descriptors were passed behind them. */
	passedBehind = { fd: -1, bytes: 0 };

	override receive(fd: number, offset: number, length: number): number {
		if (fd === this.passedBehind.fd) {
			this.passedBehind.fd = -1;
			return super.receive(fd, offset, Math.min(length, this.passedBehind.bytes));
		}
		if (this.emptyReceives > 0) {
			this.emptyReceives--;
			return -EAGAIN;
		}
		const count = super.receive(fd, offset, length);
		if (count > 0) this.whenTaken?.();
		return count;
	}

	override discard(fd: number, length: number): number {
		const count = super.discard(fd, length);
		if (count > 0) this.whenTaken?.();
		return count;
	}

	override undelivered(fd: number): number {
		return this.undeliveredBytes ?? super.undelivered(fd);
	}

	/** From here on time passes only as `aheadMs` grows: deadlines come neither early nor late. */
	stopClock(): void {
		this.#stoppedAtMs = super.now();
	}

	override now(): number {
		return (this.#stoppedAtMs ?? super.now()) + this.aheadMs;
	}

	override socket(family: number): number {
		if (this.socketFailures === 0) return super.socket(family);
		this.socketFailures--;
		return -this.socketErrno;
	}

	override close(fd: number): number {
		return this.forgets.has(fd) ? 0 : super.close(fd);
	}
}
