/** How subscribers of the hub end, or are kept out: by the gateway, by operators, by limits; and what is told of them. */
import assert from "node:assert/strict";
import type { LedgerReport } from "../../src/index.js";
import type { Gateway } from "../support/gateway.js";
import { api, type HubConfig, publish, startHub, subscribers } from "../support/hub.js";
import {
	type Arrival,
	answerTo,
	EVENTS,
	EventsClient,
	type HubClient,
	openEvents,
	openFramed,
	openWebSocket,
} from "../support/hub-clients.js";
import { dial } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const A = "{ match: a, subscribe: public, publish: public, presence: count }";

async function comeAll(scenario: Scenario, gateway: Gateway, arrival: Arrival = {}): Promise<HubClient[]> {
	const clients = [
		await openWebSocket(scenario, gateway.port(), "a", arrival),
		await openEvents(scenario, gateway.port(), "a", arrival),
		await openFramed(scenario, gateway.port(1), undefined, arrival),
	];
	for (const client of clients) await client.expect("subscribed");
	return clients;
}

function start(scenario: Scenario, more: Partial<HubConfig> = {}, own = false): Promise<Gateway> {
	return startHub(scenario, { channels: [A], framed: "a", ...more }, own ? { own: "it is ended" } : {});
}

scenario("a drain sends all away, each with another time to come back after", async (scenario) => {
	const gateway = await start(scenario, { hub: ["retry: 60s"] }, true);
	const clients: HubClient[] = [];
	for (let count = 0; count < 5; count++) clients.push(...(await comeAll(scenario, gateway)));
	gateway.child.signal("SIGTERM");
	for (const client of clients) {
		const farewell = await client.over();
		assert.ok(typeof farewell === "object", String(farewell));
		assert.equal(farewell.code, 1001);
		assert.ok(
			Number(farewell.retryMs) >= 6_000 && Number(farewell.retryMs) <= 60_000,
			String(farewell.retryMs),
		);
		if (client instanceof EventsClient) assert.equal(client.retryMs, farewell.retryMs);
	}
	assert.ok(new Set(clients.map(({ farewell }) => farewell?.retryMs)).size > 10, "they come at other times");
	assert.equal(await gateway.exit(), 0);
	const lines = await gateway.sessions(clients.length);
	assert.deepEqual([...new Set(lines.map(({ reason }) => reason))], ["drained"]);
});

scenario("an operator closes sessions, and takes subscriptions away", async (scenario) => {
	const gateway = await start(scenario);
	const clients = await comeAll(scenario, gateway);
	const listed = JSON.parse((await gateway.admin("/api/sessions?upstream=hub")).body) as {
		sessions: { id: number; source: string; state: string }[];
	};
	assert.deepEqual([...new Set(listed.sessions.map(({ state }) => state))], ["subscribed"]);
	const idOf = (client: HubClient): number =>
		listed.sessions.find(({ source }) => source === client.name)?.id ?? -1;
	const [socket, events, device] = clients as [HubClient, HubClient, HubClient];
	for (const client of [socket, events]) {
		const { status, value } = await api(gateway, "DELETE", `a?session=${idOf(client)}`);
		assert.deepEqual([status, value], [200, { unsubscribed: true }]);
		const { channel, reason } = await client.expect("unsubscribed");
		assert.equal(channel, "a");
		assert.match(String(reason), /operator/);
		assert.equal((await api(gateway, "DELETE", `a?session=${idOf(client)}`)).status, 404);
	}
	await subscribers(gateway, "a", 1);
	await publish(gateway, "a", "x");
	assert.deepEqual(await device.texts(1), ["x"]);
	// It may come back.
	socket.say({ type: "subscribe", channel: "a" });
	await socket.expect("subscribed");
	await gateway.admin("/api/sessions/close?upstream=hub", "POST");
	for (const client of clients) {
		const farewell = await client.over();
		assert.equal(typeof farewell === "object" ? farewell.code : farewell, 4410);
		assert.equal((await gateway.sessionOf(client)).reason, "operator");
	}
	await gateway.metricIs("sluice_hub_subscribers", (count) => count === 0);
});

scenario("an address that is banned is cut, and comes no more", async (scenario) => {
	const gateway = await start(scenario);
	const clients = await comeAll(scenario, gateway, { localAddress: "127.0.0.9" });
	const others = await comeAll(scenario, gateway);
	await gateway.admin("/api/sources/ban?source=127.0.0.9&for=1m", "POST");
	for (const client of clients) {
		await client.over();
		assert.equal((await gateway.sessionOf(client)).reason, "banned");
	}
	const comes = (isWanted: boolean): Promise<true> =>
		eventually(
			async () => {
				const came = openEvents(scenario, gateway.port(), "a", { localAddress: "127.0.0.9" });
				const isThere = await came.then(() => true).catch(() => false);
				return isThere === isWanted || undefined;
			},
			() => `it ${isWanted ? "does not come" : "comes"}`,
		);
	// Each reactor hears of it for itself.
	await comes(false);
	await publish(gateway, "a", "x");
	for (const client of others) assert.deepEqual(await client.texts(1), ["x"]);
	await gateway.admin("/api/sources/unban?source=127.0.0.9", "POST");
	await comes(true);
});

scenario("limits of connections hold for subscribers", async (scenario) => {
	const gateway = await start(scenario, { sections: ["limits: { connections_per_ip: 3 }"] });
	const arrival = { localAddress: "127.0.0.8" };
	const clients = await comeAll(scenario, gateway, arrival);
	await assert.rejects(openWebSocket(scenario, gateway.port(), "a", arrival));
	await openWebSocket(scenario, gateway.port(), "a", { localAddress: "127.0.0.7" });
	clients[0]?.peer.reset();
	await gateway.metricIs("sluice_connections_active", (count) => count === 3);
	await openWebSocket(scenario, gateway.port(), "a", arrival);
});

scenario("a lifetime ends with 1001, and a silent handshake without a word", async (scenario) => {
	const gateway = await start(scenario, { sections: ["timeouts: { lifetime: 500ms, handshake: 300ms }"] });
	const clients = await comeAll(scenario, gateway);
	const slow = await dial(scenario, gateway.port());
	await slow.send("GET /channels/a HTTP/1.1\r\nHost: a");
	for (const client of clients) {
		const farewell = await client.over();
		assert.ok(typeof farewell === "object", String(farewell));
		assert.equal(farewell.code, 1001);
		assert.equal((await gateway.sessionOf(client)).reason, "lifetime");
	}
	await slow.over();
	assert.equal((await gateway.sessionOf(slow)).reason, "handshake_timeout");
});

scenario("a message that does not go on is the end of its client", async (scenario) => {
	const gateway = await start(scenario, { sections: ["timeouts: { handshake: 300ms }"] });
	const socket = await openWebSocket(scenario, gateway.port(), "a");
	socket.socket.write(Buffer.of(0x81, 0x85, 1, 2));
	const fragments = await openWebSocket(scenario, gateway.port(), "a");
	fragments.frame(1, Buffer.from("{"), false);
	// What comes amid it does not give it more time.
	const pings = setInterval(() => fragments.ping(), 50);
	scenario.defer(() => clearInterval(pings));
	const device = await openFramed(scenario, gateway.port(1));
	device.socket.write(Buffer.of(0, 0, 0, 9, 0x7b));
	for (const client of [socket, fragments, device]) {
		const farewell = await client.over();
		assert.equal(typeof farewell === "object" ? farewell.code : farewell, 1008);
		assert.equal((await gateway.sessionOf(client)).reason, "request_timeout");
	}
});

scenario(
	"a subscriber has a line in the log as every session, and its figures go with it",
	async (scenario) => {
		const gateway = await start(scenario, { listener: "log_requests: all" });
		const clients = await comeAll(scenario, gateway);
		await publish(gateway, "a", "x".repeat(1_000));
		for (const client of clients) await client.texts(1);
		const before = await gateway.metrics();
		assert.equal(before.sum("sluice_hub_subscribers", { match: "a" }), 3);
		assert.equal(before.sum("sluice_hub_published_total", { match: "a" }), 1);
		assert.equal(before.sum("sluice_hub_delivered_total", { match: "a" }), 3);
		assert.equal(before.sum("sluice_hub_delivery_seconds_count"), 3);
		assert.equal(before.sum("sluice_hub_missed_total"), 0);
		const ledger = JSON.parse((await gateway.admin("/api/ledger")).body) as LedgerReport;
		assert.deepEqual(ledger.discrepancies, []);
		for (const client of clients) {
			client.socket.end();
			await client.over();
			const line = await gateway.sessionOf(client);
			assert.equal(line.upstream, "hub");
			assert.equal(line.reason, "client_closed");
			assert.ok(line.connected !== null && line.bytes_to_client > 1_000, JSON.stringify(line));
		}
		await answerTo(scenario, gateway.port(), "/channels/none", { fields: EVENTS });
		const requests = gateway.log.filter(({ message }) => message === "request") as unknown as {
			status: number;
			path: string;
		}[];
		await gateway.logIsWhole();
		assert.deepEqual(
			requests.map(({ status }) => status).toSorted((one, other) => one - other),
			[101, 200],
		);
		await gateway.metricIs("sluice_hub_subscribers", (count) => count === 0);
		assert.equal((await gateway.metrics()).sum("sluice_ledger_discrepancy"), 0);
	},
);
