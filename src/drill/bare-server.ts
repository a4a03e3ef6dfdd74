/**
 * The plain Node proxy of drills and bench: what one writes first. Arguments: pairs of listening port and
 * upstream port. Prints each port it listens on as a line; 0 is any free one.
 */
import { writeSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";

const ports = process.argv.slice(2).map(Number);
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
	server.listen({ host: "127.0.0.1", port: ports[i], backlog: 4096 }, () => {
		writeSync(1, `${(server.address() as AddressInfo).port}\n`);
	});
}
