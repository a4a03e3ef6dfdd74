/** A client's places and a server's connections in one thread, each with a kernel of its own. */
import type { TestContext } from "node:test";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { loopback } from "../../src/rig/connect.js";
import { Places } from "../../src/rig/places.js";
import { Served } from "../../src/rig/served.js";
import { type Hear, turn } from "../../src/rig/turn.js";
import { PATIENCE_MS } from "../support/waiting.js";

export const ROLE = 1;
const SCRATCH_BYTES = 64 * 1024;

export interface Ends {
	/** The client's. */
	readonly kernel: LinuxKernel;
	readonly places: Places;
	readonly address: Uint8Array;
	/** The server's. */
	readonly far: LinuxKernel;
	readonly served: Served;
	/** Connections that the server took, in their order. */
	readonly taken: number[];
	/** Connections that the server gave up. */
	readonly dropped: number[];
	/** Turns of both until something is so. */
	until(isSo: () => boolean, hear?: Hear, serve?: Hear): void;
}

export function ends(t: TestContext, count: number): Ends {
	const kernel = newKernel(t);
	const far = newKernel(t);
	const places = new Places(kernel, count);
	t.after(() => places.closeAll());
	const taken: number[] = [];
	const dropped: number[] = [];
	const served = new Served(far, {
		backlog: 128,
		acceptsPerTurn: 2,
		scratchBytes: SCRATCH_BYTES,
		accepted: (fd) => taken.push(fd),
		dropped: (fd) => dropped.push(fd),
	});
	const { fd: listener, port } = served.listen(ROLE);
	t.after(() => {
		for (const fd of [listener, ...taken]) if (served.role(fd) !== 0) served.drop(fd);
	});
	const until = (isSo: () => boolean, hear: Hear = () => {}, serve: Hear = () => {}): void => {
		const giveUpAtMs = performance.now() + PATIENCE_MS;
		while (!isSo()) {
			if (performance.now() > giveUpAtMs) throw new Error("it did not come to that");
			turn(far, 1, served, (fd, flags) => {
				if (served.isListener(fd)) served.accept(fd);
				else serve(fd, flags);
			});
			turn(kernel, 1, places, hear);
		}
	};
	return { kernel, places, address: loopback(port), far, served, taken, dropped, until };
}

export function newKernel(t: TestContext): LinuxKernel {
	const kernel = new LinuxKernel(SCRATCH_BYTES);
	t.after(() => kernel.dispose());
	return kernel;
}
