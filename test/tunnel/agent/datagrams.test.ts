/** Sessions of datagrams on the lines of an agent: what becomes of their frames, and of their ends. */
import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { writeProxyV2 } from "../../../src/protocol/index.js";
import { V2_DATAGRAM } from "../../../src/protocol/proxy-protocol.js";
import type { Open } from "../../../src/protocol/tunnel/index.js";
import type { TunnelSettings } from "../../../src/tunnel/agent/settings.js";
import { type DatagramPeer, datagramEcho, datagramPeer } from "../../support/datagrams.js";
import { Metrics } from "../../support/metrics.js";
import type { Peer } from "../../support/peers.js";
import { type Scenario, scenario } from "../../support/scenario.js";
import {
	type RunningAgent,
	settingsFor,
	startAgent,
	startAgentWithReactor,
	tunnelTo,
} from "../../support/tunnel-agent.js";
import { type GatewayOptions, startTunnelGateway, visitorHeader } from "../../support/tunnel-gateway.js";
import { deadPort } from "../../support/udp-ends.js";
import { eventually } from "../../support/waiting.js";

/** From 203.0.113.7:53496 to 192.0.2.1:443, by UDP. */
function datagramHeader(): Buffer {
	const bytes = Buffer.alloc(64);
	const [from, to] = [Uint8Array.of(203, 0, 113, 7), Uint8Array.of(192, 0, 2, 1)];
	const none = new Uint8Array(0);
	return bytes.subarray(0, writeProxyV2(bytes, 0, 4, from, 53_496, to, 443, none, 0, 0, V2_DATAGRAM));
}

function frame(datagram: string | Uint8Array): Buffer {
	const bytes = Buffer.from(datagram);
	const length = Buffer.alloc(2);
	length.writeUInt16BE(bytes.length);
	return Buffer.concat([length, bytes]);
}

async function takeFrame(line: Peer): Promise<string> {
	const length = (await line.take(2)).readUInt16BE(0);
	return (await line.take(length)).toString();
}

interface Rig extends RunningAgent {
	readonly line: () => Promise<Peer>;
	readonly dropped: (cause: string) => number;
}

type Start = (scenario: Scenario, tunnel: TunnelSettings, options?: GatewayOptions) => Promise<Rig>;

function starter(isReactor: boolean): Start {
	return async (scenario, tunnel, options = {}) => {
		const gateway = await startTunnelGateway(scenario, options);
		const settings = settingsFor(gateway, [tunnel]);
		const running = isReactor
			? await startAgentWithReactor(scenario, settings)
			: startAgent(scenario, settings);
		const { session, open } = await gateway.opened();
		await running.next("tunnel_opened");
		const name = isReactor ? "sluice_datagrams_dropped_total" : "sluice_agent_datagrams_dropped_total";
		return {
			...running,
			line: () => session.line(open.tunnel),
			dropped: (cause) => Metrics.parse(running.agent.metrics()).sum(name, { cause }),
		};
	};
}

const to = ({ port }: DatagramPeer, more: Partial<TunnelSettings> = {}): TunnelSettings =>
	tunnelTo("udp", `127.0.0.1:${port}`, more);

/** What a gateway says of a tunnel whose sessions it keeps for 100 ms. */
const SHORT: GatewayOptions = {
	insecure: true,
	answer: ({ tunnel, name }: Open) => ({
		...{ type: "opened", tunnel, addresses: [`${name}:1/udp`] },
		...{ plain: true, idle_ms: 100 },
	}),
};

for (const mover of ["Node's streams", "a reactor"]) {
	const isReactor = mover === "a reactor";
	const start = starter(isReactor);

	for (const [how, options] of [
		["through TLS", {}],
		["in the open", { insecure: true }],
	] as const) {
		scenario(`${mover}: ${how}, frames are datagrams however the stream is cut`, async (scenario) => {
			const service = await datagramEcho(scenario);
			const { line, next } = await start(scenario, to(service), options);
			const visitor = await line();
			const long = "x".repeat(32_766);
			const sent = ["a", "", "bcd", long, "e"];
			const stream = Buffer.concat(sent.map(frame));
			await visitor.send(datagramHeader());
			assert.equal((await next("visitor_started")).source, "203.0.113.7:53496");
			// The first bytes one by one, then pieces that end within frames and between them, and at last several at once.
			const cuts = [
				1,
				2,
				3,
				4,
				5,
				6,
				7,
				8,
				9,
				10,
				11,
				5_000,
				16_000,
				32_700,
				stream.length - 3,
				stream.length,
			];
			let at = 0;
			for (const cut of cuts) {
				await visitor.send(stream.subarray(at, cut));
				at = cut;
				await new Promise((resolve) => setImmediate(resolve));
			}
			for (const text of sent) assert.equal(await service.text(), text);
			// The longest is too long with the echo's own word before it.
			for (const text of ["a", "", "bcd", "e"]) assert.equal(await takeFrame(visitor), `echo:${text}`);
			await visitor.send(Buffer.concat(["1", "2", "3"].map(frame)));
			for (const text of ["1", "2", "3"]) assert.equal(await takeFrame(visitor), `echo:${text}`);
			visitor.end();
			const { reason, bytes_from_visitor, bytes_to_visitor } = await next("visitor_ended");
			assert.deepEqual(
				[reason, bytes_from_visitor, bytes_to_visitor],
				["client_closed", 32_766 + 8, 7 * 5 + 8],
			);
			await visitor.rest();
		});
	}

	scenario(`${mover}: each session has a socket of its own for the service`, async (scenario) => {
		const service = await datagramEcho(scenario);
		const { line } = await start(scenario, to(service), { insecure: true });
		const visitors = await Promise.all([line(), line(), line()]);
		for (const [index, visitor] of visitors.entries())
			await visitor.send(Buffer.concat([datagramHeader(), frame(String(index))]));
		for (const [index, visitor] of visitors.entries())
			assert.equal(await takeFrame(visitor), `echo:${index}`);
		assert.equal(new Set(service.received.map(({ from }) => from.port)).size, 3);
	});

	scenario(
		`${mover}: the service is told who the visitor is before the first datagram of a session, where it asked for that`,
		async (scenario) => {
			const service = await datagramPeer(scenario);
			const { line } = await start(scenario, to(service, { proxyProtocol: true }), { insecure: true });
			const visitor = await line();
			await visitor.send(Buffer.concat([datagramHeader(), frame("one"), frame("two")]));
			const first = (await service.next()).bytes;
			assert.deepEqual(first, Buffer.concat([datagramHeader(), Buffer.from("one")]));
			assert.equal(await service.text(), "two");
			await visitor.send(frame("three"));
			assert.equal(await service.text(), "three");
		},
	);

	scenario(
		`${mover}: a header of connections, a request and what is no frame close the line`,
		async (scenario) => {
			const service = await datagramPeer(scenario);
			const { line, next } = await start(scenario, to(service), { insecure: true });
			for (const bytes of [
				Buffer.concat([visitorHeader(), frame("a")]),
				Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
			]) {
				const visitor = await line();
				await visitor.send(bytes);
				await visitor.over();
			}
			const visitor = await line();
			await visitor.send(Buffer.concat([datagramHeader(), frame("good"), Buffer.of(0x80, 0)]));
			assert.equal(await service.text(), "good");
			assert.notEqual(await visitor.over(), "ended");
			assert.equal((await next("visitor_ended")).reason, "client_reset");
			assert.equal(service.received.length, 1);
		},
	);

	scenario(`${mover}: a header of datagrams closes a line of connections`, async (scenario) => {
		const { line } = await start(scenario, tunnelTo("tcp", `127.0.0.1:${await deadPort()}`), {
			insecure: true,
		});
		const visitor = await line();
		await visitor.send(datagramHeader());
		await visitor.over();
	});

	scenario(
		`${mover}: nobody listens at the service's port: that is told, and ends the session`,
		async (scenario) => {
			const tunnel = tunnelTo("udp", `127.0.0.1:${await deadPort()}`);
			const { line, next } = await start(scenario, tunnel, { insecure: true });
			const visitor = await line();
			await visitor.send(Buffer.concat([datagramHeader(), frame("a")]));
			await visitor.send(frame("b"));
			await next("local_failed");
			assert.equal((await next("visitor_ended")).reason, "connect_refused");
			await visitor.over();
		},
	);

	scenario(
		`${mover}: a service at an address that there is no way to ends the session, and nothing else`,
		async (scenario) => {
			// A broadcast, which nobody may connect to who has not asked for it.
			const { line, next } = await start(scenario, tunnelTo("udp", "255.255.255.255:9"), { insecure: true });
			const visitor = await line();
			await visitor.send(Buffer.concat([datagramHeader(), frame("a")]));
			await next("local_failed");
			assert.equal((await next("visitor_ended")).reason, "connect_refused");
			await visitor.over();
		},
	);

	scenario(`${mover}: a service that answered and is gone ends the session`, async (scenario) => {
		const service = await datagramEcho(scenario);
		const { line, next } = await start(scenario, to(service), { insecure: true });
		const visitor = await line();
		await visitor.send(Buffer.concat([datagramHeader(), frame("a")]));
		assert.equal(await takeFrame(visitor), "echo:a");
		service.socket.close();
		await visitor.send(frame("b"));
		assert.equal((await next("visitor_ended")).reason, "upstream_reset");
		await visitor.over();
	});

	scenario(`${mover}: of localhost the address counts where somebody listens`, async (scenario) => {
		const addresses = await lookup("localhost", { all: true, verbatim: true });
		const service = await datagramEcho(scenario, "last", addresses.at(-1)?.address);
		const { line } = await start(scenario, tunnelTo("udp", `localhost:${service.port}`), { insecure: true });
		const visitor = await line();
		await visitor.send(datagramHeader());
		// The first may be lost at the other address.
		const asking = setInterval(() => visitor.socket.write(frame("a")), 20);
		scenario.defer(() => clearInterval(asking));
		assert.equal(await takeFrame(visitor), "last:a");
	});

	scenario(
		`${mover}: a session is forgotten although its gateway does not say that it has forgotten it`,
		async (scenario) => {
			const service = await datagramEcho(scenario);
			const { line, next, agent } = await start(scenario, to(service), SHORT);
			const visitor = await line();
			await visitor.send(Buffer.concat([datagramHeader(), frame("a")]));
			assert.equal(await takeFrame(visitor), "echo:a");
			assert.equal((await next("visitor_ended")).reason, "idle_timeout");
			await visitor.over();
			await eventually(
				() =>
					Metrics.parse(agent.metrics()).sum("sluice_agent_lines", { state: "visitor" }) === 0 || undefined,
				() => "its line is still there",
			);
		},
	);

	scenario(
		`${mover}: what a line does not take is dropped, and what comes when it takes something again is not behind it`,
		async (scenario) => {
			const service = await datagramPeer(scenario);
			const { line, dropped } = await start(scenario, to(service), { insecure: true });
			const visitor = await line();
			await visitor.send(Buffer.concat([datagramHeader(), frame("hello")]));
			const { from } = await service.next();
			visitor.socket.pause();
			// Far more than all buffers of a connection hold.
			const [each, count] = [8_000, 4_000];
			const stale = Buffer.alloc(each, "s");
			for (let sent = 0; sent < count; sent++) {
				service.send(stale, from.port);
				if (sent % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
			}
			const lost = await eventually(
				async () => {
					const before = dropped("slow_line");
					await new Promise((resolve) => setTimeout(resolve, 50));
					const after = dropped("slow_line");
					return after > 0 && after === before ? after : undefined;
				},
				() => `nothing was dropped: ${dropped("slow_line")}`,
			);
			visitor.socket.resume();
			// The line takes something again: what is sent now comes, and behind no more than the buffers held.
			let passed = 0;
			const asking = setInterval(() => service.send("now", from.port), 20);
			scenario.defer(() => clearInterval(asking));
			while ((await takeFrame(visitor)) !== "now") passed++;
			assert.ok(passed <= count - lost, `${passed} came, and ${lost} of ${count} were dropped`);
			// A receive window and what the kernel may hold unsent; of Node's sockets it holds up to 4 MiB.
			if (isReactor) assert.ok(passed * each < 1_048_576, `${passed} came`);
		},
	);

	scenario(`${mover}: a datagram of the service's that no frame holds is dropped`, async (scenario) => {
		const service = await datagramPeer(scenario);
		const { line, dropped } = await start(scenario, to(service));
		const visitor = await line();
		await visitor.send(Buffer.concat([datagramHeader(), frame("hello")]));
		const { from } = await service.next();
		service.send(Buffer.alloc(32_767), from.port);
		service.send("next", from.port);
		assert.equal(await takeFrame(visitor), "next");
		assert.equal(dropped("too_long"), 1);
	});
}
