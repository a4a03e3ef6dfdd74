/**
 * Messages over TCP: a server that answers each message, and a client that sends a thousand at once and reads the answers.
 * Run it with `npm run build && node dist/examples/library/frames.js`.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { FrameWriter, frames } from "sluice/frames";

const MESSAGES = 1000;
/** What this protocol needs at most; strangers who announce more are cut off at their first four bytes. */
const options = { maxFrameBytes: "64KiB" };

const server = createServer({ allowHalfOpen: true }, async (socket) => {
	// A reset that comes when the loop is over has nobody else to go to.
	socket.on("error", () => {});
	const writer = new FrameWriter(socket, options);
	try {
		for await (const message of frames(socket, { ...options, pin: true })) {
			// The answer is made here and now, so the message may be a view of the chunk that it came in (`pin`).
			if (!writer.write(`you said ${message}`)) await writer.drained();
		}
		writer.end();
		const { frames: answers, writes } = writer.counts;
		console.log(`the server answered ${answers} messages in ${writes} writes`);
	} catch (error) {
		// The socket is destroyed already.
		console.error("a client was cut off:", error);
	}
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
if (address === null || typeof address === "string") throw new Error("not a TCP server");

const socket = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
const writer = new FrameWriter(socket, options);
for (let message = 0; message < MESSAGES; message++)
	if (!writer.write(`message ${message}`)) await writer.drained({ signal: AbortSignal.timeout(5000) });
writer.end();

let answers = 0;
let last = "";
for await (const answer of frames(socket, options)) {
	answers++;
	last = answer.toString();
}
console.log(`the client got ${answers} answers, the last one: "${last}"`);
server.close();
