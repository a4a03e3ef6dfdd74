/** A reactor in small: a thread with a TLS library of its own, which serves one connection after another, blocking. */
import { parentPort, workerData } from "node:worker_threads";
import { EPOLLIN } from "../../src/kernel/constants.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import type { PemFile } from "../../src/kernel/openssl/options.js";
import { WANT_READ } from "../../src/kernel/openssl/tls.js";
import { Openssl } from "../../src/kernel/openssl.js";
import { openListener } from "../../src/kernel/sockets.js";
import { LOOPBACK, waitFor } from "./connection.js";

export interface ThreadData {
	readonly ticketKeys: readonly Uint8Array[];
	readonly cert: PemFile;
	readonly key: PemFile;
	readonly connections: number;
}

export interface Served {
	readonly resumed: boolean;
	readonly alpn: string;
}

const { ticketKeys, cert, key, connections } = workerData as ThreadData;
const kernel = new LinuxKernel(1 << 20);
const tls = new Openssl(kernel.memory, ticketKeys);
const context = tls.serverContext({ names: ["www.example.com"], cert, key, alpn: ["http/1.1"] });
const { fds, port } = openListener({ address: LOOPBACK, port: 0, backlog: 16 }, 1);
parentPort?.postMessage(port);

for (let served = 0; served < connections; served++) {
	waitFor(kernel, fds[0] ?? -1, EPOLLIN);
	const fd = kernel.accept(fds[0] ?? -1, 0);
	const session = tls.open(context, fd);
	while (tls.handshake(session) === WANT_READ) waitFor(kernel, fd, EPOLLIN);
	const said: Served = { resumed: tls.resumed(session), alpn: tls.alpn(session) };
	parentPort?.postMessage(said);
	while (tls.read(session, 0, 1000) === WANT_READ) waitFor(kernel, fd, EPOLLIN);
	tls.shutdown(session);
	tls.free(session);
	kernel.close(fd);
}
context.free();
tls.dispose();
kernel.close(fds[0] ?? -1);
kernel.dispose();
