/** What a test's own listeners give to accepted connections. */
import type { ConnectionOptions } from "../../src/kernel/sockets.js";

export const CONNECTION: ConnectionOptions = {
	keepalive: { idleSeconds: 30, intervalSeconds: 10, probes: 6, userTimeoutMs: 90_000 },
	sockets: { unsentBytes: 256 * 1_024, sendBytes: null, receiveBytes: null },
};
