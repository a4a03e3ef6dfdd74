/** The bench's end of the servers that it measures. */
import { Helper } from "../../src/rig/helper.js";
import { LoadError } from "../load/asking.js";
import type { ServerMemory, ServerNews, ServerOrder, ServerReady } from "./server.js";

export type Protocol = "http" | "websocket";

export interface TestServer extends ServerReady {
	memory(): Promise<ServerMemory>;
	stop(): Promise<void>;
}

/** A fresh process. `pieces`: what of the library it uses, as in server.ts. */
export async function startServer(protocol: Protocol, pieces: readonly string[]): Promise<TestServer> {
	const helper = new Helper<ServerOrder, ServerNews>(new URL("server.js", import.meta.url), {
		args: [protocol, ...pieces],
		flags: ["--expose-gc"],
	});
	const ready = await helper.next();
	if (!("port" in ready)) throw new LoadError("the server did not say where it listens");
	return {
		...ready,
		async memory() {
			helper.order("memory");
			const news = await helper.next();
			if (!("heap" in news)) throw new LoadError("the server did not tell its memory");
			return news;
		},
		stop: () => helper.stop(),
	};
}
