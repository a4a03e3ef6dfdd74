import { fileURLToPath } from "node:url";
import type { Program } from "../start.js";
import type { System } from "./system.js";

const SCRIPT = fileURLToPath(new URL("./node-tls-proxy.js", import.meta.url));

export const nodeTls: System = {
	id: "node-tls",
	note: "tls.createServer and pipe, 20 lines, single-threaded",
	install: "npm run build",
	cannot: {},
	readsRequests: false,
	terminatesTls: true,
	onlyRows: ["tls-64", "tls-new", "tls-resumed", "idle-tls"],
	version: () => process.version,

	prepare({ listen, relayTo, onceTo, certificate }): Program {
		const { certFile, keyFile } = certificate;
		const pairs = [listen.tls, relayTo, listen.tlsOnce, onceTo];
		// Something must listen on the other ports as well; they are not measured.
		const plain = [listen.relay, listen.bulk, listen.sni].flatMap((port) => [port, relayTo]);
		const args = [SCRIPT, certFile, keyFile, pairs.join(","), plain.join(",")];
		return { command: process.execPath, args };
	},
};
