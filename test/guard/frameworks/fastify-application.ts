/** What http-application.ts asks of a framework, in Fastify. */
import { type FastifyServerOptions, fastify } from "fastify";
import { LOOPBACK } from "../../support/peers.js";
import { type Application, LARGE_BYTES, SILENCE_MS, type SlowRequests } from "./http-application.js";

export function make(slow: SlowRequests, options: FastifyServerOptions = {}): Application {
	const app = fastify(options);
	app.get("/hello", async () => "hello");
	app.post("/json", async (request) => request.body);
	app.addContentTypeParser("application/octet-stream", (_, payload, done) => done(null, payload));
	app.post("/upload", async (request) => {
		let bytes = 0;
		for await (const piece of request.raw) bytes += (piece as Buffer).length;
		return String(bytes);
	});
	app.get("/events", (_, reply) => {
		reply.hijack();
		reply.raw.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
		setTimeout(() => reply.raw.end("data: 2\n\n"), SILENCE_MS);
	});
	app.get("/forever", (_, reply) => {
		reply.hijack();
		reply.raw.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
	});
	app.get("/large", async () => "x".repeat(LARGE_BYTES));
	app.get("/broken", async () => {
		throw new Error("it broke");
	});
	app.get("/slow", (_, reply) => slow.add(() => reply.send("slow answer")));
	return {
		server: app.server,
		listen: () => app.listen({ port: 0, host: LOOPBACK }),
		close: () => app.close(),
	};
}
