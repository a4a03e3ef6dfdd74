/** Sessions that each make one request and want all of its answer: how long that is, the target is asked before. */
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { AttackOnScene, Scene } from "./assault.js";
import type { Target } from "./target.js";
import { NAMES, requestHead } from "./traffic.js";

/** As many in all as the scene has, in the open or within TLS. */
export async function requestSessions({ target, connections }: Scene, tls = false): Promise<AttackOnScene> {
	const request = requestHead(NAMES.good);
	return {
		...(tls ? { tls: NAMES.good } : {}),
		total: connections,
		opensPerSecond: null,
		sayings: [request],
		behaviour: { kind: "session", answerBytes: await answerBytes(target, request, tls) },
	};
}

const ANSWER_MS = 5000;

/** How long the target's answer to a request is that ends its connection: its head is the target's own. */
function answerBytes({ address, port }: Target, request: Uint8Array, tls: boolean): Promise<number> {
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
