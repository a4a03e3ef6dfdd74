import { fileURLToPath } from "node:url";
import { BACKLOG, nodeArguments, withVariants } from "../system.js";

export const bareHubs = withVariants(
	{
		id: "bare-hub",
		note: "80 lines on the same calls of the kernel: a send per subscriber, and no outboxes, channels, limits or records; single-threaded",
		install: "npm run build",
		version: () => process.version,
		cannot: { "idle-tls": "it has no TLS" },
		isJudged: false,

		prepare(assignment) {
			const ports = [assignment.listen.plain, BACKLOG].map(String);
			const program = fileURLToPath(new URL("../bare-hub.js", import.meta.url));
			return { command: process.execPath, args: nodeArguments(assignment, program, ...ports) };
		},

		doors({ listen }) {
			const { plain: port } = listen;
			return {
				plain: { port, path: "/", says: null, confirms: null },
				tls: null,
				publish: { port, path: "/", fields: {}, before: "", after: "" },
			};
		},
	},
	[],
);
