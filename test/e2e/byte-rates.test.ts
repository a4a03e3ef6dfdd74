/** bytes_per_second: of a session, of an address, of a route; of bytes and of requests, down and up. */

import assert from "node:assert/strict";
import { createServer as createHttpServer, get } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { resetSocket } from "../../src/parts/reset-socket.js";
import { startGateway } from "../support/gateway.js";
import { listening } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

const KIB = 1_024;
const FOR_MS = 10_000;
const BLOCK = Buffer.alloc(64 * KIB, "x");

/** Sends without end, and reads whatever comes. */
function pour(socket: Socket): void {
	socket.on("error", () => {});
	socket.resume();
	const more = (): void => {
		while (!socket.destroyed && socket.write(BLOCK)) {}
	};
	socket.on("drain", more);
	more();
}

async function serving(scenario: Scenario, serve: (socket: Socket) => void): Promise<string> {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket);
		serve(socket);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	scenario.defer(async () => {
		for (const socket of sockets) socket.destroy();
		await new Promise((resolve) => server.close(resolve));
	});
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Bytes per second that come from a stream, over ten seconds from the first ones on. */
function rateOf(stream: NodeJS.ReadableStream): Promise<number> {
	return new Promise((resolve, reject) => {
		let bytes = 0;
		let beganMs = 0;
		stream.once("error", reject);
		stream.once("end", () => reject(new Error("it ended")));
		stream.on("data", (data: Buffer) => {
			beganMs ||= performance.now();
			bytes += data.length;
			const forMs = performance.now() - beganMs;
			if (forMs >= FOR_MS) resolve((bytes * 1_000) / forMs);
		});
	});
}

function near(rate: number, wanted: number, within: number, what: string): void {
	const off = rate / wanted - 1;
	assert.ok(
		Math.abs(off) <= within,
		`${what}: ${Math.round(rate)} of ${wanted} bytes per second, ${(100 * off).toFixed(1)} %`,
	);
}

scenario("sessions, addresses and routes are slowed to their rates, and others are not", async (scenario) => {
	let taken: (rate: Promise<number>) => void = () => {};
	const upload = new Promise<number>((resolve) => {
		taken = resolve;
	});
	const pouring = await serving(scenario, pour);
	const taking = await serving(scenario, (socket) => taken(rateOf(socket)));
	const web = createHttpServer((_, response) => {
		response.on("error", () => {});
		const more = (): void => {
			while (!response.destroyed && response.write(BLOCK)) {}
		};
		response.on("drain", more);
		more();
	});
	const webAddress = await listening(scenario, web);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
listeners:
  - { listen: 127.0.0.1:0, bytes_per_second_per_session: 400KiB, routes: [{ to: pouring }] }
  - { listen: 127.0.0.1:0, routes: [{ to: pouring, bytes_per_second: 1200KiB }] }
  - { listen: 127.0.0.1:0, bytes_per_second_per_ip: 800KiB, routes: [{ to: pouring }] }
  - { listen: 127.0.0.1:0, bytes_per_second_per_session: 300KiB, routes: [{ to: taking }] }
  - { listen: 127.0.0.1:0, routes: [{ host: slow.test, to: web, bytes_per_second_per_session: 500KiB }, { to: web }] }
upstreams:
  pouring: ${pouring}
  taking: ${taking}
  web: { http: "http://${webAddress}" }
`,
	);
	const dial = (listener: number, localAddress = "127.0.0.1"): Socket => {
		const socket = connect({ port: gateway.port(listener), host: "127.0.0.1", localAddress });
		// By a reset: what lies in the kernel would still pass at its rate.
		scenario.defer(() => resetSocket(socket));
		return socket;
	};
	const download = (host: string): Promise<number> =>
		new Promise((resolve, reject) => {
			const request = get(
				{ port: gateway.port(4), host: "127.0.0.1", headers: { host }, agent: false },
				(response) => rateOf(response).then(resolve, reject),
			);
			request.on("error", reject);
			scenario.defer(() => request.destroy());
		});
	pour(dial(3));
	const [own, ...rest] = await Promise.all([
		rateOf(dial(0)),
		download("slow.test"),
		upload,
		...[1, 1, 1, 1].map((listener) => rateOf(dial(listener))),
		...["127.0.0.1", "127.0.0.1", "127.0.0.2"].map((address) => rateOf(dial(2, address))),
	]);
	const [asked = 0, sent = 0, ...shared] = rest;
	near(own, 400 * KIB, 0.05, "a session");
	near(asked, 500 * KIB, 0.05, "a download by HTTP");
	near(sent, 300 * KIB, 0.05, "an upload");
	const ofRoute = shared.slice(0, 4);
	near(sum(ofRoute), 1_200 * KIB, 0.05, "a route");
	for (const rate of ofRoute) near(rate, 300 * KIB, 0.15, "a session among four of a route");
	const [one = 0, two = 0, other = 0] = shared.slice(4);
	near(one + two, 800 * KIB, 0.05, "an address");
	near(other, 800 * KIB, 0.05, "another address");
	assert.ok((await gateway.metrics()).sum("sluice_rate_waits_total") > 0);
});

function sum(rates: readonly number[]): number {
	return rates.reduce((total, rate) => total + rate, 0);
}
