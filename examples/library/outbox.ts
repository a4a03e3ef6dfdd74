/**
 * Prices for two subscribers, of which one does not read: it misses some and is told how many, the other gets all of them.
 * Run it with `npm run build && node dist/examples/library/outbox.js`.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Broadcast, Outbox } from "sluice/outbox";

const PRICES = 400;
const PRICE_BYTES = 64 * 1024;

const server = createServer().listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
if (address === null || typeof address === "string") throw new Error("not a TCP server");

const prices = new Broadcast();
const outboxes = new Map<string, Outbox>();
const clients = new Map<string, Socket>();
let missed = 0;
for (const name of ["eager", "asleep"]) {
	const client = connect(address.port, "127.0.0.1");
	const [socket] = (await once(server, "connection")) as [Socket];
	const outbox = new Outbox(socket, {
		bytesMax: "1MiB",
		policy: "drop-oldest",
		write: "10s",
		onGap: ({ messages }) => {
			missed += messages;
		},
	});
	prices.add(outbox);
	outboxes.set(name, outbox);
	clients.set(name, client);
}

let received = 0;
clients.get("eager")?.on("data", (part) => {
	received += part.length;
});
for (let i = 0; i < PRICES; i++) {
	prices.send(`price ${i};`.padEnd(PRICE_BYTES));
	await outboxes.get("eager")?.flushed();
}
const asleep = outboxes.get("asleep");
console.log(
	`asleep: ${asleep?.dropped.messages} prices dropped, ${asleep?.bytes} bytes retained of ${asleep?.bytesMax}`,
);

// It wakes up: what it gets begins where it stopped, with a gap that it can be told of.
clients.get("asleep")?.resume();
await asleep?.flushed();
console.log(`asleep: told of ${missed} that it missed`);

for (const outbox of outboxes.values()) outbox.close();
const eager = clients.get("eager");
if (eager !== undefined && !eager.closed) await once(eager, "close");
console.log(`eager: ${received / PRICE_BYTES} prices received, ${prices.size} subscribers left`);
server.close();
