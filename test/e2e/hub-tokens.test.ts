/** Who may come to the hub: tokens wherever they are said, their end, their renewal, and that nobody reads one in the log. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Gateway } from "../support/gateway.js";
import { type Grant, type HubConfig, hubKeys, type Keys, publish, startHub } from "../support/hub.js";
import {
	answerTo,
	EVENTS,
	type Farewell,
	openEvents,
	openFramed,
	openWebSocket,
	UPGRADE,
} from "../support/hub-clients.js";
import { dial } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

interface Stand {
	readonly gateway: Gateway;
	readonly keys: Keys;
}

async function start(scenario: Scenario, more: Partial<HubConfig> = {}): Promise<Stand> {
	const keys = hubKeys(scenario);
	const gateway = await startHub(scenario, {
		channels: [
			"{ match: open, subscribe: public, publish: token, presence: count }",
			'{ match: "rooms/*", publish: token, presence: who, replay: { messages: 10 } }',
		],
		...{ framed: "rooms/device", ...more, hub: [keys.line, ...(more.hub ?? [])] },
	});
	return { gateway, keys };
}

const ROOMS: Grant = { who: "alice", subscribe: ["rooms/*"], publish: ["rooms/1"] };
/** Clocks may differ by so much, so that a token is good for so long behind its end. */
const TOLERANCE_S = 5;

const RENEWED = "the hub's keys were renewed";

function codeOf(farewell: Farewell | string): number | string {
	return typeof farewell === "string" ? farewell : farewell.code;
}

scenario("a token is shown in a field, in the query, or as a subprotocol", async (scenario) => {
	const { gateway, keys } = await start(scenario);
	const port = gateway.port();
	const token = keys.token(ROOMS);
	const offers = await openWebSocket(scenario, port, "rooms/1", {
		fields: `Sec-WebSocket-Protocol: sluice-hub.v1, token.${token}\r\n`,
	});
	assert.match(offers.answer, /\r\nSec-WebSocket-Protocol: sluice-hub\.v1\r\n/);
	const clients = [
		await openWebSocket(scenario, port, "rooms/1", { token }),
		await openWebSocket(scenario, port, `rooms/1?token=${token}`),
		offers,
		await openWebSocket(scenario, port, `rooms/1?token=${token}`, { token }),
		await openEvents(scenario, port, "rooms/1", { token }),
		await openEvents(scenario, port, `?channel=rooms/1&token=${token}`),
	];
	for (const client of clients) await client.expect("subscribed");
	await publish(gateway, "rooms/1", "x");
	for (const client of clients) assert.deepEqual(await client.texts(1), ["x"]);
});

scenario("without a token, with a bad one, with one for something else, nobody comes", async (scenario) => {
	const { gateway, keys } = await start(scenario);
	const other = hubKeys(scenario, "other-keys.json");
	const good = keys.token(ROOMS);
	const cases: readonly (readonly [number, string, string, string])[] = [
		[401, "unauthorized", "/channels/rooms/1", ""],
		[401, "unauthorized", "/channels/rooms/1?token=x", ""],
		[401, "unauthorized", `/channels/rooms/1?token=${other.token(ROOMS)}`, ""],
		[
			401,
			"unauthorized",
			`/channels/rooms/1?token=${keys.token({ ...ROOMS, seconds: -TOLERANCE_S - 1 })}`,
			"",
		],
		[401, "unauthorized", `/channels/open?token=${good.slice(0, -3)}AAA`, ""],
		[403, "forbidden", `/channels/rooms/1?token=${keys.token({ subscribe: ["rooms/2"] })}`, ""],
		[
			403,
			"forbidden",
			`/channels/?channel=rooms/2&channel=rooms/1&token=${keys.token({ subscribe: ["rooms/2"] })}`,
			"",
		],
		[400, "bad_message", `/channels/rooms/1?token=${good}`, "Authorization: Bearer x\r\n"],
		[400, "bad_message", `/channels/rooms/1?token=${good}&token=y`, ""],
		[400, "bad_message", "/channels/rooms/1", `Authorization: Bearer ${good}\r\nAuthorization: Bearer x\r\n`],
	];
	for (const fields of [EVENTS, UPGRADE])
		for (const [status, code, target, more] of cases) {
			const answer = await answerTo(scenario, gateway.port(), target, { fields: fields + more });
			assert.deepEqual([answer.status, answer.code], [status, code], `${target} ${more}`);
			if (status === 401) assert.match(answer.head, /\r\nWWW-Authenticate: Bearer/);
			assert.ok(!answer.body.includes(good.slice(-20)));
		}
	const refused = await gateway.sessions(2 * cases.length);
	assert.deepEqual([...new Set(refused.map(({ reason }) => reason))].sort(), ["rejected", "unauthorized"]);
	assert.equal((await gateway.metrics()).sum("sluice_hub_subscribers"), 0);
});

scenario("no token is in the log, wherever it was said", async (scenario) => {
	const { gateway, keys } = await start(scenario, {
		...{ listener: "log_requests: all", sections: ["log: { level: debug }"] },
	});
	const tokens = [ROOMS, { who: "bob", subscribe: [] }, { ...ROOMS, seconds: -60 }].map((grant) =>
		keys.token(grant),
	);
	for (const token of tokens) {
		const asked = [
			[`/channels/rooms/1?token=${token}`, EVENTS],
			["/channels/rooms/1", `${EVENTS}Authorization: Bearer ${token}\r\n`],
			["/channels/rooms/1", `${UPGRADE}Sec-WebSocket-Protocol: token.${token}\r\n`],
			[`/channels/rooms/1?token=${token}`, "Accept: text/html\r\n"],
			[`/channels/rooms/1?token=${token}&token=x`, EVENTS],
			[`/channels/rooms//1?token=${token}`, EVENTS],
			[`/elsewhere?token=${token}`, EVENTS],
		] as const;
		for (const [target, fields] of asked) {
			const client = await openEvents(scenario, gateway.port(), "open");
			client.peer.reset();
			const answer = await answerOrLeave(scenario, gateway, target, fields);
			assert.ok(!answer.includes(token.slice(-20)), answer);
		}
		const device = await openFramed(scenario, gateway.port(1), { token });
		const socket = await openWebSocket(scenario, gateway.port(), "open");
		socket.say({ type: "token", token });
		socket.say({ type: token, token });
		await socket.heard(({ type }) => type === "subscribed");
		socket.frame(1, Buffer.from(`${token}`));
		await socket.over();
		device.peer.reset();
	}
	await gateway.closedSessions(1);
	await gateway.metricIs("sluice_connections_active", (active) => active === 0);
	await gateway.logIsWhole();
	for (const token of tokens)
		for (const part of token.split(".").slice(1))
			assert.ok(!gateway.child.output.includes(part), `the log has ${part}`);
});

/** What becomes a stream is left. */
async function answerOrLeave(
	scenario: Scenario,
	gateway: Gateway,
	target: string,
	fields: string,
): Promise<string> {
	const peer = await dial(scenario, gateway.port());
	await peer.send(`GET ${target} HTTP/1.1\r\nHost: hub.test\r\n${fields}\r\n`);
	const first = (await peer.take(40)).toString();
	peer.end();
	return first + (await peer.rest().catch(() => ""));
}

scenario("the end of a token ends its connection, and says so in each protocol", async (scenario) => {
	const { gateway, keys } = await start(scenario);
	const short = (who: string): string => keys.token({ ...ROOMS, who, seconds: -TOLERANCE_S + 0.5 });
	const socket = await openWebSocket(scenario, gateway.port(), "rooms/1", { token: short("a") });
	const events = await openEvents(scenario, gateway.port(), "rooms/1", { token: short("b") });
	const device = await openFramed(scenario, gateway.port(1), { token: short("c") });
	const renewed = await openWebSocket(scenario, gateway.port(), "rooms/1", { token: short("d") });
	renewed.say({ type: "token", token: keys.token({ ...ROOMS, who: "e" }), ref: 1 });
	const { expires_in_ms: left } = await renewed.heard(({ type }) => type === "token");
	assert.ok(Number(left) > 3_600_000 && Number(left) <= 3_606_000, String(left));
	for (const client of [socket, events, device]) {
		assert.equal(codeOf(await client.over()), 4401);
		assert.match(client.farewell?.reason ?? "", /expired/);
		assert.equal((await gateway.sessionOf(client)).reason, "unauthorized");
	}
	renewed.say({ type: "presence", channel: "rooms/1", ref: 2 });
	const presence = await renewed.heard(({ ref }) => ref === 2);
	assert.deepEqual([presence["count"], presence["who"]], [1, ["e"]]);
	await publish(gateway, "rooms/1", "x");
	await renewed.heard(({ type }) => type === "message");
});

scenario("a key that is taken away ends whoever came with its tokens, and nobody else", async (scenario) => {
	const { gateway, keys } = await start(scenario);
	const next = hubKeys(scenario, "next-keys.json", "next");
	const endedBy = async (...verifiers: readonly Pick<Keys, "verifier">[]): Promise<number | undefined> => {
		const from = gateway.log.length;
		keys.replaceBy(...verifiers);
		return (await gateway.logged(({ message }) => message === RENEWED, from)).ended;
	};
	assert.equal(await endedBy(keys, next), 0);
	const old = keys.token(ROOMS);
	const fresh = next.token(ROOMS);
	const port = gateway.port();
	const ended = [
		await openWebSocket(scenario, port, "rooms/1", { token: old }),
		await openEvents(scenario, port, "rooms/1", { token: old }),
		await openFramed(scenario, gateway.port(1), { token: old }),
	];
	// It came with the old one, and has had another since.
	const renewed = await openWebSocket(scenario, port, "rooms/1", { token: old });
	const staying = [
		await openWebSocket(scenario, port, "rooms/1", { token: fresh }),
		await openEvents(scenario, port, "rooms/1", { token: fresh }),
		await openWebSocket(scenario, port, "open"),
		renewed,
	];
	for (const client of [...ended, ...staying]) await client.heard(({ type }) => type === "subscribed");
	renewed.say({ type: "token", token: fresh, ref: 1 });
	await renewed.heard(({ type }) => type === "token");
	// Under another name it is the same key.
	assert.equal(await endedBy(keys, { ...next, verifier: { ...next.verifier, kid: "renamed" } }), 0);
	assert.equal(await endedBy(next), ended.length);
	for (const client of ended) {
		assert.equal(codeOf(await client.over()), 4401);
		assert.match(client.farewell?.reason ?? "", /the key .* is no longer taken/);
		assert.equal((await gateway.sessionOf(client)).reason, "unauthorized");
	}
	const refused = await answerTo(scenario, port, "/channels/rooms/1", { fields: EVENTS, token: old });
	assert.equal(refused.status, 401);
	await publish(gateway, "rooms/1", "still here");
	await publish(gateway, "open", "still here");
	for (const client of staying) await client.heard(({ data }) => data === "still here");
});

scenario("keys of another file, by a reload, end those of the one before", async (scenario) => {
	const { gateway, keys } = await start(scenario);
	const other = hubKeys(scenario, "other-keys.json", "other");
	const client = await openWebSocket(scenario, gateway.port(), "rooms/1", { token: keys.token(ROOMS) });
	await client.expect("subscribed");
	const from = gateway.log.length;
	gateway.write(gateway.yaml.replace(keys.file, other.file));
	assert.equal((await gateway.hangUp()).message, "reloaded");
	assert.equal(codeOf(await client.over()), 4401);
	assert.equal((await gateway.logged(({ message }) => message === RENEWED, from)).ended, 1);
	const next = await openWebSocket(scenario, gateway.port(), "rooms/1", { token: other.token(ROOMS) });
	await next.expect("subscribed");
	// A hub that goes keeps its WebSockets, and one that comes again may have other keys.
	const withHub = gateway.yaml.replace(other.file, keys.file);
	gateway.write(`
reactors: 2
listeners:
  - { listen: 127.0.0.1:0, routes: [{ to: reject }] }
  - { listen: 127.0.0.1:0, routes: [{ to: reject }] }
`);
	assert.equal((await gateway.hangUp()).message, "reloaded");
	await next.expect("unsubscribed");
	gateway.write(withHub);
	assert.equal((await gateway.hangUp()).message, "reloaded");
	assert.equal(codeOf(await next.over()), 4401);
});

scenario(
	"rights that a new token does not have are lost, and the last of them ends the connection",
	async (scenario) => {
		const { gateway, keys } = await start(scenario);
		const socket = await openWebSocket(scenario, gateway.port(), "rooms/1", {
			token: keys.token({ subscribe: ["rooms/1", "rooms/2"], publish: ["rooms/1"] }),
		});
		await socket.expect("subscribed");
		socket.say({ type: "subscribe", channel: "rooms/2" });
		await socket.expect("subscribed");
		socket.say({ type: "publish", channel: "rooms/1", data: "mine" });
		assert.deepEqual(await socket.texts(1), ["mine"]);
		socket.say({ type: "token", token: keys.token({ subscribe: ["rooms/2"] }) });
		const lost = await socket.heard(({ type }) => type === "unsubscribed");
		assert.equal(lost.channel, "rooms/1");
		assert.match(lost.reason ?? "", /token/);
		socket.say({ type: "publish", channel: "rooms/1", data: "x", ref: 3 });
		assert.equal((await socket.heard(({ ref }) => ref === 3)).code, "forbidden");
		socket.say({ type: "subscribe", channel: "rooms/1", ref: 4 });
		assert.equal((await socket.heard(({ ref }) => ref === 4)).code, "forbidden");
		await publish(gateway, "rooms/1", "not for it");
		await publish(gateway, "rooms/2", "for it");
		await socket.heard(({ data }) => data === "for it");
		assert.ok(!socket.all.some(({ data }) => data === "not for it"));
		socket.say({ type: "token", token: keys.token({ subscribe: ["rooms/3"] }) });
		assert.equal(codeOf(await socket.over()), 4403);
		assert.equal((await gateway.sessionOf(socket)).reason, "unauthorized");
	},
);

scenario(
	"who came without a token to a public channel keeps that, whatever its later tokens allow",
	async (scenario) => {
		const { gateway, keys } = await start(scenario);
		const socket = await openWebSocket(scenario, gateway.port(), "open");
		await socket.expect("subscribed");
		socket.say({ type: "token", token: keys.token({ who: "bob", subscribe: ["rooms/1"] }) });
		await socket.expect("token");
		socket.say({ type: "subscribe", channel: "rooms/1" });
		await socket.expect("subscribed");
		socket.say({ type: "token", token: keys.token({ who: "bob", publish: ["open"] }) });
		await socket.heard(({ type, channel }) => type === "unsubscribed" && channel === "rooms/1");
		socket.say({ type: "publish", channel: "open", data: "still here" });
		await socket.heard(({ data }) => data === "still here");
		// A bad one is the end.
		socket.say({ type: "token", token: "x.y.z" });
		assert.equal(codeOf(await socket.over()), 4401);
	},
);

scenario("presence counts connections, and tells names once", async (scenario) => {
	const { gateway, keys } = await start(scenario);
	const comes = async (who: string) => {
		const client = await openWebSocket(scenario, gateway.port(), "rooms/p", {
			token: keys.token({ ...ROOMS, who }),
		});
		await client.expect("subscribed");
		return client;
	};
	const [one, two, three] = [await comes("alice"), await comes("alice"), await comes("bob")];
	// The main thread hears of those who leave at the end of a turn.
	const present = (count: number, ...names: readonly string[]): Promise<true> => {
		let last: unknown;
		return eventually(
			async () => {
				const ref = Math.random();
				one.say({ type: "presence", channel: "rooms/p", ref });
				const told = await one.heard((each) => each.ref === ref);
				last = [told["count"], (told["who"] as string[]).toSorted()];
				return isDeepStrictEqual(last, [count, names]) ? true : undefined;
			},
			() => `present are ${JSON.stringify(last)}`,
		);
	};
	await present(3, "alice", "bob");
	two.peer.reset();
	await gateway.sessionOf(two);
	await present(2, "alice", "bob");
	three.say({ type: "unsubscribe", channel: "rooms/p" });
	await three.expect("unsubscribed");
	await present(1, "alice");
	// Once more subscribed is not once more there.
	one.say({ type: "subscribe", channel: "rooms/p", ref: "again" });
	await one.heard(({ ref }) => ref === "again");
	await present(1, "alice");
	one.say({ type: "token", token: keys.token({ ...ROOMS, who: "carol" }) });
	await one.heard(({ type }) => type === "token");
	await present(1, "carol");
});

scenario("a device shows its token in its hello, in time, and before anything else", async (scenario) => {
	const { gateway, keys } = await start(scenario, { sections: ["timeouts: { handshake: 400ms }"] });
	const token = keys.token(ROOMS);
	const good = await openFramed(scenario, gateway.port(1), { token, ref: 1 });
	assert.equal((await good.expect("token")).ref, 1);
	await good.expect("subscribed");
	const ends = {
		"says nothing": await openFramed(scenario, gateway.port(1)),
		"says no token": await openFramed(scenario, gateway.port(1), {}),
		"says a bad one": await openFramed(scenario, gateway.port(1), { token: "x" }),
		"says something else": await openFramed(scenario, gateway.port(1)),
		"says half of it": await openFramed(scenario, gateway.port(1)),
	};
	ends["says something else"].say({ type: "subscribe", channel: "open" });
	ends["says half of it"].socket.write(Buffer.of(0, 0, 0, 50, 0x7b));
	for (const [which, client] of Object.entries(ends)) {
		const code = codeOf(await client.over());
		const { reason } = await gateway.sessionOf(client);
		if (which === "says half of it") assert.ok(code === 4401 || code === 1008, `${which}: ${code} ${reason}`);
		else assert.deepEqual([code, reason], [4401, "unauthorized"], which);
		assert.equal(client.all.length, 0);
	}
	const lacks = await openFramed(scenario, gateway.port(1), { token: keys.token({ subscribe: ["open"] }) });
	assert.equal(codeOf(await lacks.over()), 4403);
	await publish(gateway, "rooms/device", "x");
	await good.heard(({ data }) => data === "x");
});

scenario(
	"pages of other origins come where they are named, and a browser that asks first is told so",
	async (scenario) => {
		const { gateway, keys } = await start(scenario, { hub: ["origins: [https://app.example.com]"] });
		const token = keys.token(ROOMS);
		const origin = "Origin: https://app.example.com\r\n";
		const allowed = /\r\nAccess-Control-Allow-Origin: https:\/\/app\.example\.com\r\nVary: Origin\r\n/;
		const ask = (fields: string, target = "/channels/rooms/1", method = "GET") =>
			answerTo(scenario, gateway.port(), target, { fields, method });
		const preflight = await ask(
			`${origin}Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n`,
			"/channels/rooms/1",
			"OPTIONS",
		);
		assert.equal(preflight.status, 204);
		assert.match(preflight.head, allowed);
		assert.match(
			preflight.head,
			/\r\nAccess-Control-Allow-Headers: authorization, cache-control, last-event-id\r\n/,
		);
		const events = await openEvents(scenario, gateway.port(), "rooms/1", { token, fields: origin });
		assert.match(events.answer, allowed);
		await openWebSocket(scenario, gateway.port(), "rooms/1", { token, fields: origin });
		assert.match((await ask(origin + EVENTS)).head, allowed);
		for (const bad of [
			"https://app.example.com:8443",
			"http://app.example.com",
			"https://hub.test",
			"null",
			"x",
		])
			for (const [fields, method] of [
				[EVENTS, "GET"],
				[UPGRADE, "GET"],
				["", "OPTIONS"],
			] as const) {
				const { status, code, head } = await ask(
					`Origin: ${bad}\r\n${fields}`,
					`/channels/rooms/1?token=${token}`,
					method,
				);
				assert.deepEqual([status, code], [403, "bad_origin"], bad);
				assert.doesNotMatch(head, /Access-Control/);
			}
	},
);

scenario("where no origins are named, pages of the host that was asked come", async (scenario) => {
	const { gateway } = await start(scenario);
	for (const [host, origin, status] of [
		["hub.test", "http://hub.test", 200],
		["hub.test:8080", "http://hub.test:8080", 200],
		["hub.test", "https://HUB.test", 200],
		["hub.test", "http://other.test", 403],
		["hub.test:8080", "http://hub.test", 403],
	] as const) {
		const fields = `Origin: ${origin}\r\n`;
		if (status === 200) await openEvents(scenario, gateway.port(), "open", { host, fields });
		else
			assert.equal(
				(await answerTo(scenario, gateway.port(), "/channels/open", { host, fields: fields + EVENTS }))
					.status,
				status,
			);
	}
});
