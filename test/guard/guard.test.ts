/** A guard before real servers, attacked by real clients: each connection ends in time, and with its reason. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer as createHttpServer, get, type RequestListener } from "node:http";
import { connect as connectHttp2, createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { WebSocket, WebSocketServer } from "ws";
import { type GuardOptions, guard, OptionError } from "../../src/guard/guard.js";
import { descriptorLimit } from "../../src/kernel/proc.js";
import { writeProxyV2 } from "../../src/protocol/proxy-protocol.js";
import { curveKeys, issue } from "../../src/rig/issue.js";
import { client, gone, REQUEST, stand, textOf } from "./standing.js";

const { cert, key } = issue({ commonName: "localhost", names: ["localhost"], keys: curveKeys() });
const PEM = { cert: cert.text, key: key.text };

const hello: RequestListener = (_, response) => {
	response.end("hello");
};
const QUICK = { handshake: 200, requestHead: 200, keepAlive: 200, idle: 300, stall: 400 } as const;

test("net: a silent connection ends as idle_timeout", async () => {
	await stand(createServer(), { timeouts: QUICK }, async ({ port, closed }) => {
		const socket = await client(port);
		await gone(socket);
		assert.equal((await closed()).reason, "idle_timeout");
	});
});

test("net: who ends first gives the reason its name", async () => {
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.on("data", (bytes) => {
			if (bytes.toString() === "end") socket.end("bye");
			else server.emit("heard");
		});
	});
	await stand(server, {}, async ({ port, closed }) => {
		(await client(port)).end().resume();
		assert.equal((await closed()).reason, "client_closed");
		(await client(port, "end")).resume();
		assert.equal((await closed()).reason, "upstream_closed");
		const socket = await client(port, "x");
		await once(server, "heard");
		socket.resetAndDestroy();
		assert.equal((await closed()).reason, "client_reset");
	});
});

test("net: a reader that stops ends as stall_timeout, which Node never does, although the server writes on", async () => {
	const server = createServer((socket) => {
		socket.on("error", () => {});
		const write = (): void => {
			if (socket.destroyed || socket.writableLength > 64 << 20) return;
			socket.write(Buffer.alloc(256 * 1024));
			setTimeout(write, 20);
		};
		write();
	});
	await stand(server, { timeouts: { stall: "1s" } }, async ({ port, closed }) => {
		const socket = await client(port);
		socket.pause();
		assert.equal((await closed()).reason, "stall_timeout");
		socket.destroy();
	});
});

test("net: a slow reader that reads is not stalled", async () => {
	const size = 8 << 20;
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.end(Buffer.alloc(size));
	});
	// Longer than this program may have to wait for a processor, and shorter than all of the reading.
	await stand(server, { timeouts: { stall: "2s", idle: "2s" } }, async ({ port, closed }) => {
		const socket = await client(port);
		let got = 0;
		socket.on("data", (bytes) => {
			got += bytes.length;
			socket.pause();
			setTimeout(() => socket.resume(), 20);
		});
		await once(socket, "end");
		assert.equal(got, size);
		assert.equal((await closed()).reason, "upstream_closed");
	});
});

test("lifetime ends a connection that is busy", async () => {
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.pipe(socket);
	});
	await stand(
		server,
		{ timeouts: { lifetime: 1_500, idle: 1_000, stall: 1_000 } },
		async ({ port, closed }) => {
			const socket = await client(port, "x");
			socket.on("data", (bytes) => socket.write(bytes));
			const { reason, durationMs } = await closed();
			assert.equal(reason, "lifetime");
			assert.ok(durationMs >= 1_349, `${durationMs}`);
		},
	);
});

for (const [kind, make] of [
	["http", () => createHttpServer(hello)],
	["https", () => createHttpsServer(PEM, hello)],
	["tls", () => createTlsServer(PEM)],
	[
		"http2",
		() => createSecureServer({ ...PEM, allowHTTP1: true }, (_, response) => void response.end("hello")),
	],
] as const) {
	test(`${kind}: who says nothing, or less than it must, ends as handshake_timeout`, async () => {
		await stand(make() as Server, { timeouts: QUICK }, async ({ port, closed }) => {
			const silent = await client(port);
			await gone(silent);
			assert.equal((await closed()).reason, "handshake_timeout");
			const slow = await client(port, kind === "http" ? "GET / HT" : "\x16\x03\x01");
			const timer = setInterval(() => slow.write(kind === "http" ? "T" : "\x02"), 50);
			slow.resume();
			await gone(slow);
			clearInterval(timer);
			assert.match(
				(await closed()).reason,
				kind === "http" ? /handshake_timeout|bad_request/ : /handshake_timeout|tls_failed/,
			);
		});
	});
}

test("http: half a head is answered with 408", async () => {
	await stand(createHttpServer(hello), { timeouts: QUICK }, async ({ port, closed }) => {
		assert.match(await textOf(await client(port, "GET / HTTP/1.1\r\nHo")), /^HTTP\/1\.1 408 /);
		assert.equal((await closed()).reason, "handshake_timeout");
	});
});

test("http: between requests keepAlive holds, and within a further head requestHead", async () => {
	await stand(createHttpServer(hello), { timeouts: QUICK }, async ({ port, closed }) => {
		assert.match(await textOf(await client(port, REQUEST)), /hello/);
		assert.equal((await closed()).reason, "idle_timeout");
		const text = await textOf(await client(port, `${REQUEST}GET / HT`));
		assert.match(text, /hello[\s\S]*HTTP\/1\.1 408 |hello/);
		assert.match((await closed()).reason, /request_timeout|idle_timeout/);
	});
});

test("http: an answer that takes longer than all deadlines is waited for", async () => {
	const slow = createHttpServer((_, response) => setTimeout(() => response.end("late"), 1_000));
	await stand(slow, { timeouts: QUICK }, async ({ port }) => {
		assert.match(
			await textOf(await client(port, REQUEST.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))),
			/late/,
		);
	});
});

test("http: what no head may say is bad_request, and Node answers it", async () => {
	await stand(createHttpServer(hello), {}, async ({ port, closed }) => {
		assert.match(await textOf(await client(port, "\0\0\0\r\n\r\n")), /^HTTP\/1\.1 400 /);
		assert.equal((await closed()).reason, "bad_request");
	});
});

test("tls: a connection that failed its handshake is tls_failed, and one that did not is open", async () => {
	await stand(
		createTlsServer(PEM, (socket) => socket.on("error", () => {}).pipe(socket)),
		{ timeouts: QUICK },
		async ({ port, closed }) => {
			const plain = await client(port, REQUEST);
			await gone(plain.resume());
			assert.equal((await closed()).reason, "tls_failed");
			const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
			await once(socket, "secureConnect");
			socket.write("echo");
			assert.equal(String((await once(socket, "data"))[0]), "echo");
			socket.on("error", () => {});
			assert.equal((await closed()).reason, "idle_timeout");
		},
	);
});

test("http2: streams keep their connection while bytes move, and close says goodbye", async () => {
	const server = createSecureServer(PEM, (_, response) => void response.end("hello"));
	await stand(server as unknown as Server, {}, async ({ port, guarded, closed }) => {
		const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
		session.on("error", () => {});
		const stream = session.request({ ":path": "/" });
		let text = "";
		stream.on("data", (bytes) => {
			text += bytes;
		});
		await once(stream, "end");
		assert.equal(text, "hello");
		const gone = once(session, "close");
		const { cut } = await guarded.close({ drainMs: "5s" });
		assert.deepEqual(cut, []);
		await gone;
		assert.match((await closed()).reason, /_closed/);
	});
});

test("limits: all connections, those of an address, and their rate; shedding is told", async () => {
	for (const [limits, reason] of [
		[{ connections: 2 }, "limit_connections"],
		[{ connectionsPerAddress: 2 }, "limit_ip"],
		[{ acceptsPerSecond: 2 }, "limit_rate"],
		[{ acceptsPerSecondPerAddress: 2 }, "limit_rate"],
	] as const)
		await stand(createServer(), { limits }, async ({ port, guarded, closed }) => {
			const told: string[] = [];
			guarded.on("shed", (why, address) => told.push(`${why} ${address}`));
			await client(port);
			await client(port);
			const third = connect(port, "127.0.0.1");
			third.on("error", () => {});
			assert.equal((await closed()).reason, reason);
			assert.deepEqual(told, [`${reason} 127.0.0.1`]);
			assert.equal(guarded.counts.shed, 1);
			assert.match(
				guarded.metrics(),
				new RegExp(`sluice_guard_closed_total\\{server="default",reason="${reason}"\\} 1`),
			);
		});
});

test("an address that has left may come again", async () => {
	await stand(
		createServer((socket) => socket.end()),
		{ limits: { connectionsPerAddress: 1 } },
		async ({ port, closed }) => {
			for (let turn = 0; turn < 5; turn++) {
				(await client(port)).resume();
				assert.equal((await closed()).reason, "upstream_closed");
			}
		},
	);
});

test("when only the reserve of descriptors is left, who comes is shed, and a warning says so", async () => {
	// All but the first forty: this process has fewer than forty only before its clients come.
	const descriptorReserve = descriptorLimit() - 60;
	await stand(createServer(), { limits: { descriptorReserve } }, async ({ port, guarded, closed }) => {
		const warned = once(process, "warning");
		const sockets: Socket[] = [];
		while (guarded.counts.shed === 0 && sockets.length < 100) sockets.push(await client(port));
		assert.equal((await closed()).reason, "fd_pressure");
		assert.match(String((await warned)[0]), /descriptors run out/);
		for (const socket of sockets) socket.destroy();
	});
});

test("behind a PROXY header the client is counted, and what is no header is refused", async () => {
	const header = (last: number): Buffer => {
		const out = Buffer.alloc(64);
		const address = Uint8Array.of(192, 0, 2, last);
		return out.subarray(0, writeProxyV2(out, 0, 4, address, 4711, Uint8Array.of(127, 0, 0, 1), 80));
	};
	const options: GuardOptions = {
		proxyProtocol: { trusted: ["127.0.0.0/8"] },
		limits: { connectionsPerAddress: 1 },
	};
	await stand(createHttpServer(hello), options, async ({ port, closed }) => {
		const one = await client(port);
		const whole = Buffer.concat([header(1), Buffer.from(REQUEST)]);
		for (const byte of whole.subarray(0, 20)) one.write(Buffer.of(byte));
		one.write(whole.subarray(20));
		assert.match(String((await once(one, "data"))[0]), /hello/);
		const two = await client(port);
		two.write(Buffer.concat([header(2), Buffer.from(REQUEST)]));
		assert.match(String((await once(two, "data"))[0]), /hello/);
		const again = await client(port);
		again.write(header(1));
		assert.deepEqual([(await closed()).reason], ["limit_ip"]);
		(await client(port, REQUEST)).resume();
		assert.equal((await closed()).reason, "proxy_header");
		one.destroy();
		assert.equal((await closed()).address, "192.0.2.1");
		two.destroy();
	});
	await stand(
		createTlsServer(PEM, (socket) => socket.on("error", () => {}).end("hi")),
		options,
		async ({ port }) => {
			const raw = await client(port);
			raw.write(header(3));
			const socket = connectTls({ socket: raw, rejectUnauthorized: false });
			assert.equal(String((await once(socket, "data"))[0]), "hi");
			socket.destroy();
		},
	);
	await stand(createServer(), { proxyProtocol: { trusted: ["10.0.0.0/8"] } }, async ({ port, closed }) => {
		await client(port);
		assert.equal((await closed()).reason, "proxy_header");
	});
});

test("behind a trusted proxy the client of each request is counted; of others the field is not believed", async () => {
	const waiting: (() => void)[] = [];
	const server = createHttpServer((_, response) => {
		waiting.push(() => response.end("hello"));
		server.emit("asked");
	});
	const trusted: GuardOptions = {
		forwardedFor: { trusted: ["127.0.0.0/8", "10.0.0.0/8"] },
		limits: { connectionsPerAddress: 1 },
	};
	await stand(server, trusted, async ({ port }) => {
		const ask = async (forwarded: string): Promise<Socket> =>
			client(port, `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${forwarded}\r\n\r\n`);
		const asked = once(server, "asked");
		const first = await ask("203.0.113.9, 192.0.2.1, 10.0.0.3");
		await asked;
		assert.match(String((await once(await ask("192.0.2.1"), "data"))[0]), /^HTTP\/1\.1 429 /);
		const other = once(server, "asked");
		await ask("203.0.113.9");
		await other;
		for (const answer of waiting.splice(0)) answer();
		assert.match(String((await once(first, "data"))[0]), /hello/);
	});
});

test("close: idle keep-alives go at once, requests are answered, and a WebSocket that stays is cut and reported", async () => {
	let answer: () => void = () => {};
	const server = createHttpServer((request, response) => {
		if (request.url === "/slow") answer = () => response.end("slow answer");
		else response.end("hello");
	});
	const sockets = new WebSocketServer({ server });
	await stand(server, {}, async ({ port, guarded, closed }) => {
		const agent = new Agent({ keepAlive: true });
		await new Promise<void>((resolve) => {
			get({ port, agent }, (response) => response.resume().once("end", resolve));
		});
		const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
		socket.on("error", () => {});
		await once(socket, "open");
		const slow = await client(port, REQUEST.replace("/", "/slow"));
		await once(server, "request");
		const text = textOf(slow);
		const drained = guarded.close({ drainMs: 300 });
		assert.equal((await closed()).reason, "drained");
		answer();
		assert.match(await text, /Connection: close[\s\S]*slow answer/);
		const { cut, ended } = await drained;
		assert.deepEqual(
			cut.map(({ phase, address }) => [phase, address]),
			[["open", "127.0.0.1"]],
		);
		assert.equal(ended, 2);
		agent.destroy();
		sockets.close();
	});
});

test("ws: an upgraded connection has idle and stall, not keepAlive", async () => {
	const server = createHttpServer();
	const sockets = new WebSocketServer({ server });
	sockets.on("connection", (socket) => socket.on("error", () => {}));
	await stand(server, { timeouts: { ...QUICK, handshake: "2s", idle: 700 } }, async ({ port, closed }) => {
		const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
		socket.on("error", () => {});
		await once(socket, "open");
		const { reason, durationMs } = await closed();
		assert.equal(reason, "idle_timeout");
		assert.ok(durationMs >= 690, `${durationMs}`);
	});
	sockets.close();
});

test("a wrong option says which, and how to write it", () => {
	const server = createServer();
	for (const [options, message] of [
		[{ timeouts: { idle: "30" } }, /^timeouts\.idle: a duration needs a unit: write 30s/],
		[{ timeouts: { idel: "30s" } }, /^timeouts\.idel: no such option; there are handshake/],
		[{ limits: { connections: 0 } }, /^limits\.connections: expected a whole number, at least 1; found 0/],
		[{ proxyProtocol: { trusted: ["10.0.0.0/33"] } }, /^proxyProtocol\.trusted: expected a network/],
		[{ proxyProtocol: true }, /^proxyProtocol: expected \{ trusted/],
		[{ proxyProtocol: {} }, /^proxyProtocol\.trusted: expected a list/],
		[{ forwardedFor: { trusted: "10.0.0.0/8" } }, /^forwardedFor\.trusted: expected a list/],
		[{ forwardedFor: { trust: [] } }, /^forwardedFor\.trust: no such option; there are trusted, header/],
	] as const)
		assert.throws(
			() => guard(server, options as unknown as GuardOptions),
			(error) => error instanceof OptionError && message.test(error.message),
		);
});

test("close again brings the cut forward, both get one report, and who hears of the drain may close, too", async () => {
	await stand(createServer(), {}, async ({ port, guarded }) => {
		const socket = await client(port);
		while (guarded.counts.open === 0) await new Promise((resolve) => setImmediate(resolve));
		let third: Promise<unknown> | undefined;
		guarded.once("drain", () => {
			third = guarded.close();
		});
		const first = guarded.close({ drainMs: "1h" });
		const second = guarded.close({ drainMs: 0 });
		const report = await first;
		assert.equal(await second, report);
		assert.equal(await third, report);
		assert.deepEqual([report.ended, report.cut.length], [0, 1]);
		await gone(socket);
	});
});

test("what is closing as it is cut is not reported as cut", async () => {
	await stand(createHttpServer(hello), {}, async ({ port, guarded }) => {
		const socket = await client(port, REQUEST);
		await once(socket, "data");
		const { ended, cut } = await guarded.close({ drainMs: 0 });
		assert.deepEqual([ended, cut], [1, []]);
	});
});

test("a server that listens again after its close is guarded as before", async () => {
	const server = createHttpServer(hello);
	await stand(server, {}, async ({ guarded }) => {
		await guarded.close({ drainMs: 0 });
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const socket = await client((server.address() as AddressInfo).port, REQUEST);
		assert.match(String((await once(socket, "data"))[0]), /hello/);
	});
});

test("who is turned away is named, also where nobody hears of ends", async () => {
	const server = createServer();
	const guarded = guard(server, { limits: { connections: 1 } });
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	const shed = once(guarded, "shed");
	const sockets = [await client(port), await client(port)];
	assert.deepEqual(await shed, ["limit_connections", "127.0.0.1"]);
	const { cut } = await guarded.close({ drainMs: 0 });
	assert.deepEqual(
		cut.map(({ address }) => address),
		["127.0.0.1"],
	);
	for (const socket of sockets) socket.destroy();
});
