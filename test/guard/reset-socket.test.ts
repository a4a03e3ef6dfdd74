/** A socket that is reset is gone, whatever it was at: libuv refuses a reset amid an end, and Node would lose the descriptor. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { resetSocket } from "../../src/parts/reset-socket.js";
import { descriptorsOf, difference, openSpare } from "../support/descriptors.js";
import { LOOPBACK } from "../support/peers.js";
import { eventually } from "../support/waiting.js";

/** More than the kernel takes for a peer that reads nothing. */
const MUCH_BYTES = 16 * 1024 * 1024;

const MOMENTS: Readonly<Record<string, (socket: Socket) => void>> = {
	"nothing was sent": () => {},
	"its end has been asked for in the same turn": (socket) => socket.end(),
	"its last bytes have been written, with an end, in the same turn": (socket) => socket.end("goodbye"),
	"it waits for a peer that reads nothing, with an end behind that": (socket) =>
		socket.end(Buffer.alloc(MUCH_BYTES)),
};

async function isGone(
	where: { port: number; host: string } | { path: string },
	moment: (socket: Socket) => void,
) {
	const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
	server.listen(where);
	await once(server, "listening");
	const address = server.address();
	const accepted = once(server, "connection");
	const target = typeof address === "object" && address !== null ? { ...where, port: address.port } : where;
	const socket = connect(target);
	await once(socket, "connect");
	const [peer] = (await accepted) as [Socket];
	peer.on("error", () => {});
	const closed = once(socket, "close");
	moment(socket);
	resetSocket(socket);
	await closed;
	peer.destroy();
	server.close();
	await once(server, "close");
}

for (const [name, moment] of Object.entries(MOMENTS))
	for (const kind of ["TCP", "a Unix socket"] as const)
		test(`${kind}: it is closed when ${name}`, { timeout: 20_000 }, async () => {
			await openSpare();
			const before = descriptorsOf(process.pid);
			const path = join(tmpdir(), `sluice-reset-${process.pid}.sock`);
			await isGone(kind === "TCP" ? { port: 0, host: LOOPBACK } : { path }, moment);
			const left = (): string => difference(before, descriptorsOf(process.pid), 0);
			await eventually(() => (left() === "" ? true : undefined), left);
		});

test("one that is being connected is closed at once", async () => {
	// No connection comes about within a turn.
	const socket = connect({ port: 9, host: LOOPBACK });
	socket.on("error", () => {});
	const closed = once(socket, "close");
	resetSocket(socket);
	assert.equal(socket.destroyed, true);
	await closed;
});
