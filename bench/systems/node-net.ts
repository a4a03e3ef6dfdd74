import { fileURLToPath } from "node:url";
import { DIALOGUE_NAMES } from "../load/dialogues.js";
import type { Program } from "../start.js";
import type { Assignment, System } from "./system.js";

const SCRIPT = fileURLToPath(new URL("../../src/drill/bare-server.js", import.meta.url));

export const nodeNet: System = {
	id: "node-net",
	note: "net.createServer and pipe, 20 lines, single-threaded",
	install: "npm run build",
	cannot: { sni: "it has no routing by SNI" },
	readsRequests: false,
	terminatesTls: false,
	version: () => process.version,

	prepare({ listen, relayTo, bulkTo, sniTo, dialogueTo }: Assignment): Program {
		// Something must listen on the third port as well; it is not measured.
		const sni = sniTo[0]?.port ?? relayTo;
		const dialogues = DIALOGUE_NAMES.flatMap((name) => [listen[name], dialogueTo[name]]);
		const pairs = [listen.relay, relayTo, listen.bulk, bulkTo, listen.sni, sni, ...dialogues];
		return { command: process.execPath, args: [SCRIPT, ...pairs.map(String)] };
	},
};
