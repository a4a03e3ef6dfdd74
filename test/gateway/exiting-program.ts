/** A program that has a gateway running in it, and ends as its first argument says. */
import { loadConfigText } from "../../src/config/load.js";
import { Gateway } from "../../src/gateway/gateway.js";

await Gateway.start(
	loadConfigText(`
reactors: 1
limits: { connections: 10 }
log: { level: silent }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: 127.0.0.1:1 }
`),
);
if (process.argv[2] === "exit") process.exit(7);
// Not caught by anybody, as a program's own fault would be.
setImmediate(() => {
	throw new Error("a fault of the program");
});
