/**
 * The plain Node proxy of drills and bench: what one writes first. Arguments: pairs of listening port and
 * upstream port. Prints each port it listens on as a line; 0 is any free one.
 * With `--guarded` as the first argument `guard` stands before it, with the deadlines of the drills.
 */
import { writeSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { guard } from "../guard/guard.js";
import { GUARD } from "./guard-options.js";

const isGuarded = process.argv[2] === "--guarded";
const ports = process.argv.slice(isGuarded ? 3 : 2).map(Number);
for (let i = 0; i + 1 < ports.length; i += 2) {
	const upstreamPort = ports[i + 1] as number; // the loop's condition
	const server = createServer({ noDelay: true, allowHalfOpen: true }, (downstream) => {
		const upstream = connect({ host: "127.0.0.1", port: upstreamPort, noDelay: true, allowHalfOpen: true });
		const end = (): void => {
			downstream.destroy();
			upstream.destroy();
		};
		downstream.on("error", end).pipe(upstream);
		upstream.on("error", end).pipe(downstream);
	});
	if (isGuarded) guard(server, GUARD);
	server.listen({ host: "127.0.0.1", port: ports[i], backlog: 4096 }, () => {
		writeSync(1, `${(server.address() as AddressInfo).port}\n`);
	});
}
