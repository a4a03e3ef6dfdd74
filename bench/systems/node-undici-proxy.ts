/**
 * Node's `http` with the undici that Node carries behind it. Arguments: pairs of listening port and upstream port.
 *
 * Node shows its undici only through `fetch`, whose dispatcher is reached by a symbol that undici documents for
 * sharing it between copies. `dispatch` passes bytes through without the streams that `fetch` would make.
 */
import { createServer, type ServerResponse } from "node:http";

interface Handlers {
	onConnect(): void;
	onHeaders(status: number, headers: readonly Buffer[], resume: () => void): boolean;
	onData(bytes: Buffer): boolean;
	onComplete(): void;
	onError(error: Error): void;
}

interface Dispatcher {
	dispatch(
		options: {
			origin: string;
			path: string;
			method: string;
			headers: Record<string, unknown>;
			body: unknown;
		},
		handlers: Handlers,
	): boolean;
}

/** Loads undici. */
await fetch("data:,");
const dispatcher = (globalThis as Record<symbol, unknown>)[
	Symbol.for("undici.globalDispatcher.1")
] as Dispatcher;

const HOP_BY_HOP = new Set(["connection", "keep-alive"]);

const ports = process.argv.slice(2).map(Number);
for (let i = 0; i + 1 < ports.length; i += 2) {
	const origin = `http://127.0.0.1:${ports[i + 1]}`;
	const server = createServer((incoming, answer) => {
		const { method = "GET", url = "/", headers, socket } = incoming;
		const { connection: _, ...kept } = headers;
		dispatcher.dispatch(
			{
				...{ origin, path: url, method, body: method === "GET" ? null : incoming },
				headers: { ...kept, "x-forwarded-for": socket.remoteAddress ?? "" },
			},
			passTo(answer),
		);
	});
	server.listen({ host: "127.0.0.1", port: ports[i], backlog: 4096 });
}

function passTo(answer: ServerResponse): Handlers {
	return {
		onConnect() {},
		onHeaders(status, headers, resume) {
			const fields: string[] = [];
			for (let i = 0; i + 1 < headers.length; i += 2) {
				const name = String(headers[i]);
				if (!HOP_BY_HOP.has(name.toLowerCase())) fields.push(name, String(headers[i + 1]));
			}
			answer.on("drain", resume);
			answer.writeHead(status, fields);
			return true;
		},
		onData: (bytes) => answer.write(bytes),
		onComplete: () => answer.end(),
		onError: () => answer.destroy(),
	};
}
