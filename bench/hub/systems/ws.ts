import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BACKLOG, nodeArguments, withVariants } from "../system.js";
import type { WsServerOptions } from "../ws-server.js";

const PACKAGE = new URL("../../../../node_modules/ws/package.json", import.meta.url);

export const wsServers = withVariants(
	{
		id: "ws",
		note: "a WebSocketServer and a loop over client.send, 50 lines, permessage-deflate off, single-threaded",
		install: "npm ci",
		version,
		cannot: {},
		isJudged: true,

		prepare(assignment) {
			const { certFile, keyFile } = assignment.certificate;
			const { plain, tls } = assignment.listen;
			const options: WsServerOptions = { plain, tls, backlog: BACKLOG, certFile, keyFile };
			const program = fileURLToPath(new URL("../ws-server.js", import.meta.url));
			return { command: process.execPath, args: nodeArguments(assignment, program, JSON.stringify(options)) };
		},

		doors({ listen }) {
			const door = (port: number) => ({ port, path: "/", says: null, confirms: null });
			return {
				plain: door(listen.plain),
				tls: door(listen.tls),
				publish: { port: listen.plain, path: "/", fields: {}, before: "", after: "" },
			};
		},
	},
	["again", "deaf"],
);

function version(): string | null {
	try {
		return (JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string }).version;
	} catch {
		return null;
	}
}
