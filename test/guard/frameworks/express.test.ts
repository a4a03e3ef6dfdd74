/** A guard beneath Express. */
import { once } from "node:events";
import { createServer } from "node:http";
import express, { type ErrorRequestHandler } from "express";
import { LOOPBACK } from "../../support/peers.js";
import {
	type Application,
	httpFramework,
	LARGE_BYTES,
	SILENCE_MS,
	type SlowRequests,
} from "./http-application.js";

httpFramework("Express", (slow: SlowRequests): Application => {
	const app = express();
	app.get("/hello", (_, response) => void response.send("hello"));
	app.post("/json", express.json(), (request, response) => void response.json(request.body));
	app.post("/upload", (request, response) => {
		let bytes = 0;
		request.on("data", (piece: Buffer) => {
			bytes += piece.length;
		});
		request.once("end", () => response.send(String(bytes)));
	});
	app.get("/events", (_, response) => {
		response.type("text/event-stream").write("data: 1\n\n");
		setTimeout(() => response.end("data: 2\n\n"), SILENCE_MS);
	});
	app.get("/forever", (_, response) => void response.type("text/event-stream").write("data: 1\n\n"));
	app.get("/large", (_, response) => void response.send("x".repeat(LARGE_BYTES)));
	app.get("/broken", () => {
		throw new Error("it broke");
	});
	app.get("/slow", (_, response) => slow.add(() => response.send("slow answer")));
	const onError: ErrorRequestHandler = (error, _request, response, next) => {
		if (response.headersSent) next(error);
		else response.status((error as { status?: number }).status ?? 500).send((error as Error).message);
	};
	app.use(onError);
	const server = createServer(app);
	return {
		server,
		listen: async () => {
			server.listen(0, LOOPBACK);
			await once(server, "listening");
		},
		close: () => new Promise((resolve) => server.close(resolve)),
	};
});
