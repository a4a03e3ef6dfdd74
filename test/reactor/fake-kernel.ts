/** A kernel that knows pipes and nothing else: what a test asks beyond them is a mistake of the test. */
import { EMFILE } from "../../src/kernel/constants.js";
import type { Kernel, Readiness } from "../../src/kernel/kernel.js";

export class FakeKernel implements Kernel {
	readonly memory = new Uint8Array(0);
	readonly open = new Set<number>();
	pipeWriteEnd = -1;
	/** openPipe fails when it would pass this. */
	descriptorsMax = Number.POSITIVE_INFINITY;
	#nextFd = 100;

	openDatagrams(): never {
		throw new Error("no datagrams here");
	}

	openPipe(): number {
		if (this.open.size + 2 > this.descriptorsMax) return -EMFILE;
		const readEnd = this.#nextFd++;
		this.pipeWriteEnd = this.#nextFd++;
		this.open.add(readEnd).add(this.pipeWriteEnd);
		return readEnd;
	}

	close(fd: number): number {
		if (!this.open.delete(fd)) throw new Error(`descriptor ${fd} is not open`);
		return 0;
	}

	get readiness(): Readiness {
		return unexpected("readiness");
	}
	now(): number {
		return unexpected("now");
	}
	threadCpu(): number {
		return unexpected("threadCpu");
	}
	accept(): number {
		return unexpected("accept");
	}
	readyForMs(): number {
		return unexpected("readyForMs");
	}
	socket(): number {
		return unexpected("socket");
	}
	connect(): number {
		return unexpected("connect");
	}
	localAddress(): number {
		return unexpected("localAddress");
	}
	socketMemory(): number {
		return unexpected("socketMemory");
	}
	setOption(): number {
		return unexpected("setOption");
	}
	takeError(): number {
		return unexpected("takeError");
	}
	peek(): number {
		return unexpected("peek");
	}
	receive(): number {
		return unexpected("receive");
	}
	discard(): number {
		return unexpected("discard");
	}
	send(): number {
		return unexpected("send");
	}
	undelivered(): number {
		throw new Error("not used");
	}

	shutdownWrite(): number {
		return unexpected("shutdownWrite");
	}
	reset(): number {
		return unexpected("reset");
	}
	splice(): number {
		return unexpected("splice");
	}
	wakeOther(): void {}

	clearWake(): void {
		unexpected("clearWake");
	}
}

function unexpected(call: string): never {
	throw new Error(`${call} was not expected here`);
}
