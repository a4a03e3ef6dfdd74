/** A gateway as operators run it, a process of its own: where its program is, and what its "ready" line says. */
import { fileURLToPath } from "node:url";

/** The compiled command. */
export const MAIN = fileURLToPath(new URL("../cli/main.js", import.meta.url));

/** The port of an address in that line: `127.0.0.1:0 (port 40123)`, `127.0.0.1:40123`. NaN where there is none. */
export function portIn(text: string): number {
	return Number(/\(port (\d+)\)$|:(\d+)$/.exec(text)?.slice(1).find(Boolean));
}
