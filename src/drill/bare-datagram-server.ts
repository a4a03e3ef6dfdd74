/**
 * What the gateway is compared with where datagrams come: a relay as one writes it first, with a session for each client's address
 * and port. Its sessions are swept as in the proxy that docs/leaks.md tells of: with a datagram that comes, and only when there
 * happens to be a multiple of a hundred of them.
 *
 *     bare-datagram-server.js PORTS QUIC OTHER QUIC_IDLE OTHER_IDLE
 *
 * PORTS: how many ports of 127.0.0.1 it serves, each with sessions of its own. It knows no names: what begins like QUIC goes to the port
 * QUIC, all else to OTHER; the last two say after how many ms of silence a sweep takes such sessions. Prints its ports as one line.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

const LOOPBACK = "127.0.0.1";
const SWEPT_AT_MULTIPLES_OF = 100;
/** The long form (RFC 9000, section 17.2). */
const LONG_FORM = 0x80;

interface Session {
	readonly socket: Socket;
	/** What has come before its socket was connected. */
	readonly early: Buffer[];
	readonly idleMs: number;
	isConnected: boolean;
	lastMs: number;
}

const [ports = 1, quic = 0, other = 0, quicIdleMs = 0, otherIdleMs = 0] = process.argv.slice(2).map(Number);

const listening = await Promise.all(Array.from({ length: ports }, serve));
process.stdout.write(`${listening.join(" ")}\n`);

function serve(): Promise<number> {
	const sessions = new Map<string, Session>();
	const server = createSocket("udp4");
	server.on("error", () => {});
	server.on("message", (datagram: Buffer, from: RemoteInfo) => {
		const key = `${from.address}:${from.port}`;
		let session = sessions.get(key);
		if (session === undefined) {
			session = open(server, from, datagram);
			sessions.set(key, session);
		}
		session.lastMs = performance.now();
		if (session.isConnected) session.socket.send(datagram);
		else session.early.push(datagram);
		if (sessions.size % SWEPT_AT_MULTIPLES_OF === 0) sweep(sessions);
	});
	return new Promise((resolve) => server.bind(0, LOOPBACK, () => resolve(server.address().port)));
}

function open(server: Socket, from: RemoteInfo, first: Buffer): Session {
	const socket = createSocket("udp4");
	const isQuic = ((first[0] ?? 0) & LONG_FORM) !== 0;
	const idleMs = isQuic ? quicIdleMs : otherIdleMs;
	const session: Session = { socket, early: [], idleMs, isConnected: false, lastMs: performance.now() };
	socket.on("error", () => {});
	socket.on("message", (answer) => {
		session.lastMs = performance.now();
		server.send(answer, from.port, from.address);
	});
	socket.connect(isQuic ? quic : other, LOOPBACK, () => {
		session.isConnected = true;
		for (const datagram of session.early.splice(0)) socket.send(datagram);
	});
	return session;
}

function sweep(sessions: Map<string, Session>): void {
	const nowMs = performance.now();
	for (const [key, { socket, lastMs, idleMs }] of sessions)
		if (nowMs - lastMs >= idleMs) {
			socket.close();
			sessions.delete(key);
		}
}
