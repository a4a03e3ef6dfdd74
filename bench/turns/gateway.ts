/**
 * A gateway of one reactor in a process of its own, whose turns are measured by its thread's processor time. Started by
 * rows/longest-turn.ts with the directory `dist` of a checkout and the path of a configuration; each further line on standard input is one to reload, or `drain`.
 */

import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [dist = "", path = ""] = process.argv.slice(2);
// The two calls below are all that an older checkout must know.
const { Gateway, loadConfigFile } = (await import(
	pathToFileURL(join(dist, "src/index.js")).href
)) as typeof import("../../src/index.js");
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
