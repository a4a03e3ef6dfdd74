/** A guarded HTTP server, and a client that it does not wait for. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { guard } from "sluice/guard";

const server = createServer((_, response) => {
	response.end("hello\n");
});
const guarded = guard(server, {
	timeouts: { handshake: "300ms", stall: "20s", lifetime: "12h" },
	limits: { connectionsPerAddress: 100, bodyBytesPerSecond: "1KiB" },
});
guarded.on("closed", ({ reason, address, bytesRead }) => {
	console.log(`${address} said ${bytesRead} bytes: ${reason}`);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

// Half of a request, and then nothing. Node would wait a minute for the rest.
const slow = connect((server.address() as AddressInfo).port, "127.0.0.1");
slow.write("GET / HTTP/1.1\r\nHo");
const [answer] = (await once(slow, "data")) as [Buffer];
console.log(answer.toString().split("\r\n", 1)[0]);
await once(guarded, "closed");

console.log(guarded.metrics().match(/^sluice_guard_closed_total.*handshake_timeout.*$/m)?.[0]);
const { ended, cut } = await guarded.close({ drainMs: "5s" });
console.log(`${ended} ended by themselves, ${cut.length} had to be cut`);
