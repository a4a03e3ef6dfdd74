/** What the guarded server of drills is guarded with: the deadlines that the drills' gateway has. */
import type { GuardOptions } from "../guard/guard.js";

export const GUARD: GuardOptions = {
	timeouts: { handshake: "5s", requestHead: "5s", keepAlive: "5s", idle: "10s", stall: "3s" },
};
