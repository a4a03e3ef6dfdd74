/**
 * WebSocket users, with the client that Node carries. Arguments: port, how many, and the milliseconds between
 * reports. Each user stays: half of them say something every second, half every half minute. Whoever is cut comes
 * again after a second, which is what must not happen. A line of JSON per report; ends with its parent.
 */
import { writeSync } from "node:fs";

const SAY_MS = [1000, 30_000];
const AGAIN_MS = 1000;
/** An echo that has not come by then is missed. */
const ECHO_MS = 5000;
/** All come within a second, not at once. */
const COME_MS = 1000;

export interface UsersReport {
	readonly connected: number;
	/** Since the start. */
	readonly sent: number;
	readonly echoed: number;
	readonly reconnects: number;
	readonly missed: number;
}

/** What is used of it; it is a global of Node 22, and of Node 20 behind a flag. */
interface Client {
	readonly readyState: number;
	send(text: string): void;
	addEventListener(type: "open" | "close" | "message", hear: (event: { data?: unknown }) => void): void;
}
const { WebSocket } = globalThis as unknown as { WebSocket: new (url: string) => Client };

const [port = 0, count = 0, everyMs = 0] = process.argv.slice(2).map(Number);
let connected = 0;
let sent = 0;
let echoed = 0;
let reconnects = 0;
let missed = 0;

for (let user = 0; user < count; user++)
	setTimeout(() => come(user, SAY_MS[user % SAY_MS.length] as number), (user / count) * COME_MS);
setInterval(() => {
	const report: UsersReport = { connected, sent, echoed, reconnects, missed };
	writeSync(1, `${JSON.stringify(report)}\n`);
}, everyMs);
process.stdin.on("end", () => process.exit(0)).resume();

function come(user: number, sayMs: number): void {
	const client = new WebSocket(`ws://127.0.0.1:${port}/websocket`);
	let open = false;
	let saying: NodeJS.Timeout | undefined;
	let missing: NodeJS.Timeout | undefined;
	let said = "";
	const say = (): void => {
		said = `user ${user} says ${sent++}`;
		client.send(said);
		missing = setTimeout(() => missed++, ECHO_MS);
	};
	client.addEventListener("open", () => {
		open = true;
		connected++;
		say();
		saying = setInterval(say, sayMs);
	});
	client.addEventListener("message", ({ data }) => {
		if (data !== said) return;
		clearTimeout(missing);
		echoed++;
	});
	client.addEventListener("close", () => {
		clearInterval(saying);
		clearTimeout(missing);
		if (open) connected--;
		reconnects++;
		setTimeout(() => come(user, sayMs), AGAIN_MS);
	});
}
