/**
 * A gateway of one reactor in a process of its own, whose turns are measured by its thread's processor time. Started by
 * rows/longest-turn.ts with the directory `dist` of a checkout and the path of a configuration; it takes orders and sends news, a JSON line each.
 */

import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

export type TurnsOrder = { readonly do: "reload"; readonly file: string } | { readonly do: "drain" };
export type TurnsNews =
	| { readonly news: "ready"; readonly listen: number; readonly admin: number }
	| { readonly news: "reloaded" }
	| { readonly news: "drained" };

const [dist = "", path = ""] = process.argv.slice(2);
// The two calls below are all that an older checkout must know.
const { Gateway, loadConfigFile } = (await import(
	pathToFileURL(join(dist, "src/index.js")).href
)) as typeof import("../../src/index.js");
const gateway = await Gateway.start(loadConfigFile(path), { turnClock: "cpu", logFd: 2 });
const [listener] = gateway.listeners;
const { adminPort } = gateway;
if (listener === undefined || adminPort === undefined) throw new Error("it listens on no port");
tell({ news: "ready", listen: listener.port, admin: adminPort });
for await (const line of createInterface({ input: process.stdin })) {
	const order = JSON.parse(line) as TurnsOrder;
	if (order.do === "drain") await gateway.drain();
	else await gateway.reload(loadConfigFile(order.file));
	tell(order.do === "drain" ? { news: "drained" } : { news: "reloaded" });
}

function tell(news: TurnsNews): void {
	process.stdout.write(`${JSON.stringify(news)}\n`);
}
