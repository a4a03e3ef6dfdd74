/**
 * A gateway of one reactor in a process of its own, whose turns are measured by its thread's processor time. Started by
 * rows/longest-turn.ts with the path of a configuration; each further line on standard input is one to reload, or `drain`.
 */
import { createInterface } from "node:readline";
import { Gateway, loadConfigFile } from "../../src/index.js";

const [path = ""] = process.argv.slice(2);
const gateway = await Gateway.start(loadConfigFile(path), { turnClock: "cpu", logFd: 2 });
say(JSON.stringify({ listen: gateway.listeners[0]?.port, admin: gateway.adminPort }));
for await (const line of createInterface({ input: process.stdin })) {
	if (line === "drain") await gateway.drain();
	else await gateway.reload(loadConfigFile(line));
	say(line === "drain" ? "drained" : "reloaded");
}

function say(word: string): void {
	process.stdout.write(`${word}\n`);
}
