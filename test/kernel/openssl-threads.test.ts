import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import tls from "node:tls";
import { Worker } from "node:worker_threads";
import { OpensslMissing } from "../../src/kernel/openssl/library.js";
import { newTicketKey } from "../../src/kernel/openssl/tickets.js";
import { NAME, PLAIN } from "./tls.js";
import type { Served, ThreadData } from "./tls-thread.js";

/** More than a process runs reactors, so that a callback which ended up in the wrong thread would show. */
const THREADS = 4;
const ROUNDS = 3;

test("each thread has its own callbacks, all have the same tickets, and ending one leaves the others alone", async () => {
	const data: ThreadData = {
		ticketKeys: [newTicketKey()],
		cert: PLAIN.cert,
		key: PLAIN.key,
		connections: ROUNDS,
	};
	const threads = Array.from(
		{ length: THREADS },
		() => new Worker(new URL("./tls-thread.js", import.meta.url), { workerData: data }),
	);
	const ports = await Promise.all(
		threads.map(async (thread) => (await once(thread, "message"))[0] as number),
	);
	const exits = threads.map((thread) => once(thread, "exit"));
	let session: Buffer | undefined;
	const served: Served[] = [];
	for (let round = 0; round < ROUNDS; round++) {
		for (const [index, thread] of threads.entries()) {
			const said = once(thread, "message");
			const socket = tls.connect({
				...{ host: "127.0.0.1", port: ports[index], servername: NAME, ca: PLAIN.cert.text },
				...{ ALPNProtocols: ["h2", "http/1.1"], ...(session === undefined ? {} : { session }) },
			});
			[session] = (await once(socket, "session")) as [Buffer];
			served.push((await said)[0] as Served);
			// The event comes from within a read of OpenSSL's, and a write within that one spoils the record.
			await nextTurn();
			socket.end("bye");
			await once(socket.resume(), "close");
		}
	}
	await Promise.all(exits);
	const visits = THREADS * ROUNDS;
	assert.equal(served.length, visits);
	assert.deepEqual(
		served.map(({ resumed }) => resumed),
		Array.from({ length: visits }, (_, index) => index > 0),
	);
	assert.ok(served.every(({ alpn }) => alpn === "http/1.1"));
});

test("what a build lacks is named, with what to do about it", () => {
	const few = new OpensslMissing(["SSL_new", "SSL_read"]);
	assert.equal(few.code, "OPENSSL_MISSING");
	assert.match(
		few.message,
		/does not export what "tls" needs of OpenSSL 3: SSL_new, SSL_read; use a build of/,
	);
	const many = new OpensslMissing(Array.from({ length: 80 }, (_, index) => `SSL_${index}`));
	assert.match(many.message, /SSL_0, SSL_1, SSL_2, SSL_3, SSL_4, 75 more; use/);
});
