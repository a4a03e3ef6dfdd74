/** Visitors on the lines of an agent: what becomes of their bytes, and of their ends. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { issue } from "../../../src/rig/issue.js";
import type { TunnelSettings } from "../../../src/tunnel/agent/settings.js";
import { echo, type Peer, startUpstream, type Upstream } from "../../support/peers.js";
import { type Scenario, scenario } from "../../support/scenario.js";
import { startTlsUpstream } from "../../support/tls.js";
import {
	type RunningAgent,
	settingsFor,
	startAgent,
	startAgentWithReactor,
	tunnelTo,
} from "../../support/tunnel-agent.js";
import {
	type AgentSession,
	type GatewayOptions,
	startTunnelGateway,
	visitorHeader,
} from "../../support/tunnel-gateway.js";
import { eventually } from "../../support/waiting.js";

interface Rig extends RunningAgent {
	readonly session: AgentSession;
	readonly line: () => Promise<Peer>;
}

type StartRig = (scenario: Scenario, tunnel: TunnelSettings, options?: GatewayOptions) => Promise<Rig>;

async function rigWith(
	isReactor: boolean,
	scenario: Scenario,
	tunnel: TunnelSettings,
	options: GatewayOptions = {},
): Promise<Rig> {
	const gateway = await startTunnelGateway(scenario, options);
	const settings = settingsFor(gateway, [tunnel]);
	const running = isReactor
		? await startAgentWithReactor(scenario, settings)
		: startAgent(scenario, settings);
	const { session, open } = await gateway.opened();
	await running.next("tunnel_opened");
	return { ...running, session, line: () => session.line(open.tunnel) };
}

function service(scenario: Scenario, serve?: (peer: Peer) => void): Promise<Upstream> {
	return startUpstream(scenario, serve);
}

for (const mover of ["Node's streams", "a reactor"]) {
	const isReactor = mover === "a reactor";
	const rig: StartRig = (scenario, tunnel, options) => rigWith(isReactor, scenario, tunnel, options);

	for (const [how, options] of [
		["through TLS", {}],
		["in the open", { insecure: true }],
		["on plain lines of a TLS gateway", { plain: true }],
	] as const) {
		scenario(`${mover}: ${how}, a visitor is relayed both ways, half-closes included`, async (scenario) => {
			const local = await service(scenario);
			const kind = "plain" in options ? "tls" : "tcp";
			const { line, next } = await rig(scenario, tunnelTo(kind, String(local.port)), options);
			const visitor = await line();
			await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
			const served = await local.accepted();
			await served.expect("hello");
			assert.equal((await next("visitor_started")).source, "203.0.113.7:53496");
			visitor.end(" and goodbye");
			assert.equal(await served.rest(), " and goodbye");
			// Its own direction goes on.
			await served.send("still");
			await visitor.expect("still");
			served.end(" there");
			assert.equal(await visitor.rest(), " there");
			const { reason, bytes_from_visitor, bytes_to_visitor } = await next("visitor_ended");
			assert.deepEqual([reason, bytes_from_visitor, bytes_to_visitor], ["client_closed", 17, 11]);
		});

		scenario(`${mover}: ${how}, a reset is carried on as a reset, either way`, async (scenario) => {
			const local = await service(scenario);
			const kind = "plain" in options ? "tls" : "tcp";
			const { line, next } = await rig(scenario, tunnelTo(kind, String(local.port)), options);
			const first = await line();
			await first.send(Buffer.concat([visitorHeader(), Buffer.from("a")]));
			const served = await local.accepted();
			await served.expect("a");
			served.reset();
			assert.notEqual(await first.over(), "ended");
			assert.equal((await next("visitor_ended")).reason, "upstream_reset");

			if (!("insecure" in options) && !("plain" in options)) return;
			const second = await line();
			await second.send(Buffer.concat([visitorHeader(), Buffer.from("b")]));
			const again = await local.accepted(1);
			await again.expect("b");
			second.reset();
			assert.equal(await again.over(), "ECONNRESET");
			assert.equal((await next("visitor_ended")).reason, "client_reset");
		});
	}

	scenario(
		`${mover}: a megabyte passes both ways at once through a reader who takes his time`,
		async (scenario) => {
			const local = await service(scenario, echo);
			const { line } = await rig(scenario, tunnelTo("tcp", String(local.port)));
			const visitor = await line();
			const bytes = Buffer.alloc(1_048_576, "0123456789abcdef");
			visitor.socket.pause();
			const sent = visitor.send(Buffer.concat([visitorHeader(), bytes]));
			await local.accepted();
			visitor.socket.resume();
			await sent;
			visitor.end();
			assert.equal(await visitor.rest(), bytes.toString());
		},
	);

	scenario(
		`${mover}: who is not read from is not read for: bytes wait at the visitor's`,
		async (scenario) => {
			const local = await service(scenario, ({ socket }) => socket.pause());
			const { line, agent } = await rig(scenario, tunnelTo("tcp", String(local.port)), { insecure: true });
			const visitor = await line();
			await visitor.send(visitorHeader());
			const served = await local.accepted();
			served.socket.pause();
			const total = 64 * 1_048_576;
			const sent = visitor.send(Buffer.alloc(total));
			// Buffers of kernels and of one pipe of Node's are full long before that.
			const state = await Promise.race([
				sent.then(() => "taken"),
				new Promise((resolve) => visitor.socket.once("drain", () => resolve("taken"))),
				new Promise((resolve) => setTimeout(() => resolve("waiting"), 150)),
			]);
			assert.equal(state, "waiting");
			let read = 0;
			served.socket.on("data", (bytes: Buffer) => {
				read += bytes.length;
			});
			served.socket.resume();
			await sent;
			visitor.end();
			await served.over();
			assert.equal(read, total);
			served.end();
			assert.ok(agent.isConnected);
		},
	);

	scenario(`${mover}: a canary is sent back without a dial, and the line stays parked`, async (scenario) => {
		const local = await service(scenario);
		const { line } = await rig(scenario, tunnelTo("tcp", String(local.port)));
		const parked = await line();
		for (const letter of ["a", "b"]) {
			const canary = Buffer.concat([Buffer.of(0), Buffer.alloc(8, letter)]);
			await parked.send(canary);
			assert.deepEqual(await parked.take(9), canary);
		}
		assert.equal(local.peers.length, 0);
		await parked.send(Buffer.concat([visitorHeader(), Buffer.from("now")]));
		await (await local.accepted()).expect("now");
	});

	scenario(`${mover}: the service hears who the visitor is, where it is to`, async (scenario) => {
		const local = await service(scenario);
		const { line } = await rig(scenario, tunnelTo("tcp", String(local.port), { proxyProtocol: true }));
		const visitor = await line();
		await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("x")]));
		const served = await local.accepted();
		assert.deepEqual(await served.take(visitorHeader().length), visitorHeader());
		await served.expect("x");
	});

	scenario(
		`${mover}: a header that comes byte by byte is one; what is none closes the line`,
		async (scenario) => {
			const local = await service(scenario);
			// Through TLS a gateway sends it in one record, and a reactor counts on that.
			const { line } = await rig(scenario, tunnelTo("tcp", String(local.port)), { insecure: isReactor });
			const visitor = await line();
			for (const byte of Buffer.concat([visitorHeader(), Buffer.from("!")]))
				await visitor.send(Uint8Array.of(byte));
			await (await local.accepted()).expect("!");
			const wrong = [
				Buffer.from("\r\nno header at all, and long enough"),
				Buffer.of(0xff),
				Buffer.from("\x16\x03\x01"),
			];
			for (const bytes of wrong) {
				const bad = await line();
				await bad.send(bytes);
				await bad.over();
			}
			assert.equal(local.peers.length, 1);
		},
	);

	scenario(
		`${mover}: requests pass as they come, one after the other, on one connection`,
		async (scenario) => {
			const local = await service(scenario);
			const { line, next } = await rig(scenario, tunnelTo("http", String(local.port)));
			const requests = await line();
			const one = "GET /a HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
			await requests.send(one);
			const served = await local.accepted();
			await served.expect(one);
			await served.send("HTTP/1.1 204 No Content\r\n\r\n");
			await requests.expect("HTTP/1.1 204 No Content\r\n\r\n");
			await requests.send(one.replace("/a", "/b"));
			await served.expect(one.replace("/a", "/b"));
			assert.equal((await next("visitor_started")).source, null);
			served.end();
			assert.equal(await requests.rest(), "");
			requests.end();
			assert.equal((await next("visitor_ended")).reason, "upstream_closed");
			assert.equal(local.peers.length, 1);
		},
	);

	scenario(
		`${mover}: requests go to a local server under the name that it knows itself by`,
		async (scenario) => {
			const local = await service(scenario);
			const { line } = await rig(scenario, tunnelTo("http", String(local.port), { hostHeader: "inner:81" }));
			const requests = await line();
			await requests.send("POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\nHost:");
			const served = await local.accepted();
			await served.expect("POST / HTTP/1.1\r\nHost: inner:81\r\nContent-Length: 5\r\n\r\nHost:");
			await requests.send("GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n");
			await served.expect("GET / HTTP/1.1\r\nHost: inner:81\r\n\r\n");
		},
	);

	scenario(`${mover}: a service that speaks TLS, and one on a Unix socket, are reached`, async (scenario) => {
		const secure = await startTlsUpstream(
			scenario,
			issue({ commonName: "localhost", names: ["localhost"] }),
			echo,
		);
		const behindTls = await rig(scenario, tunnelTo("http", `https://localhost:${secure.port}`));
		const requests = await behindTls.line();
		await requests.send("GET / HTTP/1.1\r\n\r\n");
		await requests.expect("GET / HTTP/1.1\r\n\r\n");

		const path = join(scenario.directory, "app.sock");
		await startUpstream(scenario, echo, { path });
		const onSocket = await rig(scenario, tunnelTo("tcp", `unix:${path}`));
		const visitor = await onSocket.line();
		await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
		await visitor.expect("hello");
	});

	scenario(
		`${mover}: without the service, a request is answered 502, and a visitor is reset`,
		async (scenario) => {
			const gone = await startUpstream(scenario);
			await gone.close();
			const forRequests = await rig(scenario, tunnelTo("http", String(gone.port)));
			const requests = await forRequests.line();
			await requests.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
			assert.match(
				await requests.rest(),
				/^HTTP\/1\.1 502 Bad Gateway\r\n(?=[\s\S]*\r\nConnection: close\r\n)/i,
			);
			requests.end();
			assert.match((await forRequests.next("local_failed")).why, /refuse/i);
			assert.equal((await forRequests.next("visitor_ended")).reason, "connect_refused");

			const forVisitors = await rig(scenario, tunnelTo("tcp", String(gone.port)), { insecure: true });
			const visitor = await forVisitors.line();
			await visitor.send(visitorHeader());
			assert.equal(await visitor.over(), "ECONNRESET");
			assert.equal((await forVisitors.next("visitor_ended")).reason, "connect_refused");
		},
	);

	scenario(
		`${mover}: lines that cannot be opened are told, and tickets of others are of no use`,
		async (scenario) => {
			const { session, line, agent } = await rig(scenario, tunnelTo("tcp", "9"));
			const ticket = session.ticket();
			// The gateway knows no such ticket: it closes without a word.
			session.send({ type: "lines", tunnel: 1, tickets: [ticket] });
			assert.deepEqual(Buffer.from((await session.hear("failed")).ticket), Buffer.from(ticket.id));
			await line();
			session.send({ type: "lines", tunnel: 77, tickets: [session.ticket()] });
			await eventually(
				() => agent.metrics().includes('sluice_agent_lines{state="parked"} 1\n') || undefined,
				() => agent.metrics(),
			);
		},
	);
}
