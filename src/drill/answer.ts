/** Asks a target once, before it is attacked. */
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Target } from "./target.js";
import { NAMES } from "./traffic.js";

const ANSWER_MS = 5000;

/** How long the target's answer to a request is that ends its connection: its head is the target's own. */
export function answerBytes({ address, port }: Target, request: Uint8Array, tls = false): Promise<number> {
	return new Promise((resolve, reject) => {
		const options = { host: address, port, timeout: ANSWER_MS };
		const socket = tls
			? connectTls({ ...options, servername: NAMES.good, rejectUnauthorized: false })
			: connect(options);
		let received = 0;
		// Within TLS it waits until hands are shaken.
		socket.write(request);
		socket.on("data", (bytes: Buffer) => {
			received += bytes.length;
		});
		socket.on("end", () => {
			socket.end();
			resolve(received);
		});
		socket.on("timeout", () => socket.destroy(new Error("the target did not answer a request")));
		socket.on("error", reject);
	});
}
