/** A program that has a gateway running in it, and ends as its first argument says. */
import { readdirSync, readFileSync } from "node:fs";
import { loadConfigText } from "../../src/config/load.js";
import { Gateway } from "../../src/gateway/gateway.js";
import { eventually } from "../support/waiting.js";

await Gateway.start(
	loadConfigText(`
reactors: 1
limits: { connections: 10 }
log: { level: silent }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: 127.0.0.1:1 }
`),
);
// A reactor that is still busy sees that its thread is to end; one that sleeps in the kernel is the usual case.
await eventually(
	() => (threadStates().filter((state) => state !== "S").length === 1 ? true : undefined),
	() => `threads are ${threadStates().join()}`,
);
if (process.argv[2] === "exit") process.exit(7);
// Not caught by anybody, as a program's own fault would be.
setImmediate(() => {
	throw new Error("a fault of the program");
});

/** `R` for the one that asks, `S` for each that sleeps. */
function threadStates(): string[] {
	return readdirSync("/proc/self/task").map((id) => {
		const [, state = ""] = /\) (\w)/.exec(readFileSync(`/proc/self/task/${id}/stat`, "utf8")) ?? [];
		return state;
	});
}
