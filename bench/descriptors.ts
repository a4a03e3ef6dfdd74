/** Whether there are descriptors enough for what is measured. */
import { raiseDescriptorLimit } from "../src/kernel/sockets.js";

/** 5,000 sessions through a proxy, or 10,000 WebSockets, and what is needed besides. */
const DESCRIPTORS_MIN = 11_000;

/** The processes that are measured inherit the limit, raised as far as it goes. */
export function warnOfDescriptors(): void {
	const descriptors = raiseDescriptorLimit();
	if (descriptors < DESCRIPTORS_MIN)
		process.stderr.write(
			`bench: the descriptor limit is ${descriptors}; 5,000 idle sessions or 10,000 WebSockets need ${DESCRIPTORS_MIN} (ulimit -n)\n`,
		);
}
