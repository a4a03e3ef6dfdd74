/**
 * What any HTTP framework has to do as before beneath a guard, and how its clients end. The same table for each of them: a framework
 * is what answers these paths.
 *
 *     GET  /hello     "hello"
 *     POST /json      the document that was sent
 *     POST /upload    how many bytes came
 *     GET  /events    an event, a long silence, another event
 *     GET  /forever   an event, and no end
 *     GET  /large     LARGE_BYTES
 *     GET  /broken    throws; the framework's error handler answers 500 with the error's message
 *     GET  /slow      "slow answer", when the test says so
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { GuardOptions } from "../../../src/guard/guard.js";
import { Changes } from "../../support/waiting.js";
import { ask, client, gone, REQUEST, type Standing, stand, textOf, until, withAgent } from "../standing.js";
import { AFTER_THE_GUARD, AT_THE_DRAIN, BEFORE_THE_GUARD, WITH_THE_GUARD } from "./closing-both.js";

/** More than the kernel takes for a client that does not read. */
export const LARGE_BYTES = 32 << 20;
/** Longer than all of QUICK. */
export const SILENCE_MS = 900;
export const QUICK = { handshake: 200, requestHead: 200, keepAlive: 200, idle: 300, stall: 400 } as const;

const UPLOAD_BYTES = 4 << 20;
const DOCUMENT = JSON.stringify({ a: [1, { b: "ü" }] });
const FORWARDED: GuardOptions = {
	forwardedFor: { trusted: ["127.0.0.0/8"] },
	limits: { connectionsPerAddress: 1 },
};

export interface Application {
	readonly server: Server;
	listen(): Promise<unknown>;
	/** As its users end it. */
	close(): Promise<unknown>;
}

/** Requests for /slow that wait for their answer. */
export class SlowRequests {
	readonly #waiting: (() => void)[] = [];
	readonly #changes = new Changes();

	/** For the application. */
	add(answer: () => void): void {
		this.#waiting.push(answer);
		this.#changes.announce();
	}

	/** The answer of the next one that has come. */
	next(): Promise<() => void> {
		return this.#changes.until(
			() => this.#waiting.shift(),
			() => "a request for /slow",
		);
	}
}

interface Framed extends Standing {
	readonly application: Application;
	readonly slow: SlowRequests;
}

/** Guards an application before it listens, as its users would. */
export async function serve(
	make: (slow: SlowRequests) => Application,
	options: GuardOptions,
	work: (framed: Framed) => Promise<void>,
): Promise<void> {
	const slow = new SlowRequests();
	const application = make(slow);
	await stand(application.server, options, (standing) => work({ ...standing, application, slow }), {
		listen: () => application.listen(),
		end: () => application.close(),
	});
}

export function get(path: string, fields = ""): string {
	return REQUEST.replace("/", path).replace("\r\n\r\n", `\r\n${fields}\r\n`);
}

export function post(path: string, length: number): string {
	return get(path, `Content-Type: application/json\r\nContent-Length: ${length}\r\n`).replace("GET", "POST");
}

/** What a client sees of each kind of request, one after the other on a connection that is kept. */
async function ordinary(
	port: number,
): Promise<{ answers: (readonly [number, string])[]; connections: number }> {
	return withAgent(async (agent) => {
		const json = { "content-type": "application/json" };
		const binary = { "content-type": "application/octet-stream" };
		const answers = [
			await ask(port, "/hello", { agent }),
			await ask(port, "/json", { agent, body: DOCUMENT, headers: json }),
			await ask(port, "/upload", { agent, body: Buffer.alloc(UPLOAD_BYTES), headers: binary }),
			await ask(port, "/broken", { agent }),
			await ask(port, "/nowhere", { agent }),
			await ask(port, "/json", { agent, body: "{", headers: json }),
			await ask(port, "/hello", { agent }),
		];
		const connections = new Set(answers.map(({ from }) => from)).size;
		return { answers: answers.map(({ status, text }) => [status, text] as const), connections };
	});
}

export function httpFramework(name: string, make: (slow: SlowRequests) => Application): void {
	test(`${name}: routes, JSON, uploads, errors and kept connections are what they are without a guard`, async () => {
		const without = make(new SlowRequests());
		await without.listen();
		const { port } = without.server.address() as AddressInfo;
		const expected = await ordinary(port);
		await without.close();
		assert.deepEqual(expected.answers.slice(0, 3), [
			[200, "hello"],
			[200, DOCUMENT],
			[200, String(UPLOAD_BYTES)],
		]);
		assert.match(String(expected.answers[3]), /^500,.*it broke/);
		await serve(make, {}, async ({ port, guarded }) => {
			const seen = await ordinary(port);
			assert.deepEqual(seen, expected);
			assert.equal(guarded.counts.accepted, seen.connections);
		});
	});

	test(`${name}: events may be silent for longer than all deadlines`, async () => {
		await serve(make, { timeouts: QUICK }, async ({ port }) => {
			assert.equal((await ask(port, "/events")).text, "data: 1\n\ndata: 2\n\n");
		});
	});

	test(`${name}: half a head is answered with 408, as handshake_timeout`, async () => {
		await serve(make, { timeouts: QUICK }, async ({ port, closed }) => {
			assert.match(await textOf(await client(port, "POST /json HTTP/1.1\r\nHo")), /^HTTP\/1\.1 408 /);
			assert.equal((await closed()).reason, "handshake_timeout");
		});
	});

	test(`${name}: a body that does not come is answered with 408, as request_timeout, and others are served`, async () => {
		await serve(make, { timeouts: { ...QUICK, request: 400 } }, async ({ port, closed }) => {
			for (const path of ["/json", "/upload"]) {
				const text = await textOf(await client(port, `${post(path, 1_000)}{`));
				assert.match(text, /^HTTP\/1\.1 408 [^{]*$/);
				assert.equal((await closed()).reason, "request_timeout");
			}
			assert.equal((await ask(port, "/hello")).text, "hello");
		});
	});

	test(`${name}: a client that goes in the middle of its upload has its reason, and others are served`, async () => {
		await serve(make, {}, async ({ port, application, closed }) => {
			for (const path of ["/json", "/upload"]) {
				const came = once(application.server, "request");
				const socket = await client(port, `${post(path, 1_000)}{`);
				await came;
				socket.resetAndDestroy();
				assert.equal((await closed()).reason, "client_reset");
			}
			assert.equal((await ask(port, "/hello")).text, "hello");
		});
	});

	test(`${name}: who asks for much and reads nothing ends as stall_timeout`, async () => {
		await serve(make, { timeouts: QUICK }, async ({ port, closed }) => {
			const socket = await client(port, get("/large"));
			socket.pause();
			assert.equal((await closed()).reason, "stall_timeout");
			assert.equal((await ask(port, "/large")).text.length, LARGE_BYTES);
		});
	});

	test(`${name}: behind a trusted proxy a client's second request is refused with 429, another client's is not`, async () => {
		await serve(make, FORWARDED, async ({ port, slow }) => {
			const of = (address: string) => ({ "x-forwarded-for": address });
			const first = ask(port, "/slow", { headers: of("192.0.2.1") });
			const answer = await slow.next();
			const body = Buffer.alloc(UPLOAD_BYTES);
			assert.equal((await ask(port, "/hello", { headers: of("192.0.2.1") })).status, 429);
			assert.equal((await ask(port, "/upload", { body, headers: of("192.0.2.1") })).status, 429);
			assert.equal((await ask(port, "/hello", { headers: of("192.0.2.2") })).status, 200);
			answer();
			assert.equal((await first).text, "slow answer");
			assert.equal((await ask(port, "/hello", { headers: of("192.0.2.1") })).status, 200);
		});
	});

	test(`${name}: close ends idle connections, waits for answers, and cuts and reports a stream that goes on`, async () => {
		await serve(make, {}, async ({ port, guarded, closed, slow }) => {
			const idle = await client(port, get("/hello"));
			await until(idle, /hello/);
			const waiting = await client(port, get("/slow"));
			const answer = await slow.next();
			const stream = await client(port, get("/forever"));
			await until(stream, /data: 1/);
			const drained = guarded.close({ drainMs: 400 });
			assert.equal((await closed()).reason, "drained");
			await gone(idle);
			answer();
			assert.match(await textOf(waiting), /connection: close[\s\S]*slow answer/i);
			const { ended, cut } = await drained;
			assert.deepEqual([ended, cut.map(({ phase }) => phase)], [2, ["request"]]);
			await gone(stream);
		});
	});

	for (const [order, close] of [BEFORE_THE_GUARD, AFTER_THE_GUARD, WITH_THE_GUARD, AT_THE_DRAIN])
		test(`${name}: its own close ${order} ends, and what is under way is answered`, async () => {
			await serve(make, {}, async ({ port, guarded, application, slow }) => {
				const idle = await client(port, get("/hello"));
				await until(idle, /hello/);
				const waiting = await client(port, get("/slow"));
				const answer = await slow.next();
				const both = close(
					() => application.close(),
					() => guarded.close({ drainMs: "1m" }),
					guarded,
				);
				await gone(idle);
				answer();
				assert.match(await textOf(waiting), /slow answer/);
				await both;
				assert.equal(guarded.counts.open, 0);
			});
		});
}
