import { fileURLToPath } from "node:url";
import type { Program } from "../start.js";
import { type Assignment, HTTP_ROWS, type System } from "./system.js";

const ROWS = [...HTTP_ROWS, "idle-http"];

const common = {
	install: "npm run build",
	cannot: {},
	readsRequests: true,
	terminatesTls: false,
	onlyRows: ROWS,
	version: () => process.version,
};

export const nodeHttp: System = {
	...common,
	id: "node-http",
	note: "http.createServer and http.request with a keep-alive Agent, 30 lines, single-threaded",
	prepare: (assignment) => prepare("../../src/drill/bare-http-server.js", assignment),
};

export const nodeUndici: System = {
	...common,
	id: "node-undici",
	note: `http.createServer and dispatch of undici ${process.versions["undici"] ?? ""}, the one that Node carries, single-threaded`,
	prepare: (assignment) => prepare("./node-undici-proxy.js", assignment),
};

function prepare(script: string, { listen, httpTo }: Assignment): Program {
	// Something must listen on the other ports as well; they are not measured.
	const ports = [listen.relay, listen.bulk, listen.sni, listen.http].flatMap((port) => [port, httpTo]);
	const file = fileURLToPath(new URL(script, import.meta.url));
	return { command: process.execPath, args: [file, ...ports.map(String)] };
}
