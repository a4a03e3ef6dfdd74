import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationError, type Question } from "../../src/admin/operation-view.js";
import { loadConfigText } from "../../src/config/load.js";
import { explain } from "../../src/gateway/explain.js";

const CONFIG = loadConfigText(`
timeouts: { idle: 20m, lifetime: 9h }
listeners:
  - listen: 0.0.0.0:443/udp
    routes:
      - { sni: a.test, protocol: dtls, to: phones }
      - { sni: "*.test", alpn: h3, to: sites }
      - { protocol: quic, to: sites, timeouts: { idle: 5m } }
      - { source: 10.0.0.0/8, to: dns }
  - listen: 0.0.0.0:443
    routes: [{ sni: a.test, to: web }, { host: a.test, to: reject }]
  - { listen: 0.0.0.0:53/udp, timeouts: { idle: 7s }, routes: [{ to: dns }] }
upstreams:
  sites: { udp: 10.0.0.1:443 }
  phones: { udp: 10.0.0.2:443, timeouts: { idle: 1h } }
  dns: { udp: 10.0.0.3:53 }
  web: 10.0.0.1:443
`);

const ask = (question: Question) => explain(CONFIG, question, [], () => false);

/** Listeners, each with the upstream of the route that is taken. */
const taken = (question: Question): readonly string[] =>
	ask(question).map(({ listener, route, upstream }) => `${listener} ${route ?? "-"} ${upstream ?? "-"}`);

test("a name is asked for by TLS over TCP, and by QUIC over UDP", () => {
	assert.deepEqual(taken({ sni: "A.test", alpn: "h2,h3" }), [
		"0.0.0.0:443/udp sni=*.test,alpn=h3 sites",
		"0.0.0.0:443 sni=a.test web",
		"0.0.0.0:53/udp * dns",
	]);
	assert.deepEqual(taken({ sni: "a.test", protocol: "dtls", listener: "0.0.0.0:443/udp" }), [
		"0.0.0.0:443/udp sni=a.test,protocol=dtls phones",
	]);
});

test("only listeners are asked to which it could come, and one that is named says why it could not", () => {
	assert.deepEqual(taken({ protocol: "quic" }), [
		"0.0.0.0:443/udp protocol=quic sites",
		"0.0.0.0:53/udp * dns",
	]);
	assert.deepEqual(taken({ host: "a.test" }), ["0.0.0.0:443 host=a.test -"]);
	assert.deepEqual(taken({ protocol: "ssh" }), ["0.0.0.0:443 - -"]);
	const refused = (question: Question, message: RegExp): void => {
		assert.throws(
			() => ask(question),
			(error) => error instanceof OperationError && message.test(error.message),
		);
	};
	refused(
		{ path: "/", listener: "0.0.0.0:53/udp" },
		/comes by a connection, and "0\.0\.0\.0:53\/udp" takes datagrams$/,
	);
	refused(
		{ protocol: "dtls", listener: "0.0.0.0:443" },
		/comes by datagrams, and "0\.0\.0\.0:443" takes connections$/,
	);
	refused({ protocol: "udp" }, /unknown protocol "udp"/);
});

test("nobody is silent on UDP", () => {
	const [first, , last] = ask({ source: "10.0.0.9" });
	assert.deepEqual([first?.route, first?.upstream, last?.route], ["source=10.0.0.0/8", "dns", "*"]);
	assert.deepEqual(
		first?.passed.map(({ why }) => why.length),
		[2, 2, 1],
	);
});

test("nobody is waited for where no route looks at what comes", () => {
	const config = loadConfigText(`
listeners:
  - { listen: 0.0.0.0:53, routes: [{ source: 10.0.0.0/8, to: dns }, { to: reject }] }
  - { listen: 0.0.0.0:54, routes: [{ source: 10.0.0.0/8, to: dns }, { protocol: ssh, to: reject }] }
upstreams: { dns: 10.0.0.3:53 }
`);
	const routes = (source: string) => explain(config, { source }, [], () => false).map(({ route }) => route);
	assert.deepEqual(routes("10.0.0.9"), ["source=10.0.0.0/8", null]);
	assert.deepEqual(routes("11.0.0.9"), ["*", null]);
});

test("a session of datagrams has three deadlines, and the general one of idle connections is none of them", () => {
	const due = (question: Question): Record<string, string> =>
		Object.fromEntries(
			(ask(question)[0]?.deadlines ?? []).map(({ timeout, value, from }) => [timeout, `${value} by ${from}`]),
		);
	const rest = { handshake: "5s by default", lifetime: "9h by timeouts" };
	const udp = "0.0.0.0:443/udp";
	assert.deepEqual(due({ sni: "b.test", alpn: "h3", listener: udp }), { ...rest, idle: "2m by default" });
	assert.deepEqual(due({ source: "10.0.0.1", listener: udp }), { ...rest, idle: "30s by default" });
	assert.deepEqual(due({ protocol: "quic", listener: udp }), { ...rest, idle: "5m by route" });
	assert.deepEqual(due({ sni: "a.test", protocol: "dtls", listener: udp }), {
		...rest,
		idle: "1h by upstream",
	});
	assert.deepEqual(due({ protocol: "quic", listener: "0.0.0.0:53/udp" }), {
		...rest,
		idle: "7s by listener 0.0.0.0:53/udp",
	});
});

const HUB = loadConfigText(`
hub:
  keys: k.json
  heartbeat: 10s
  channels: [{ match: "rooms/*", publish: token }, { match: prices, subscribe: public, policy: conflate }]
listeners:
  - listen: 127.0.0.1:80
    routes: [{ path: [/a/, /channels/], to: hub, timeouts: { stall: 5s } }, { to: hub }]
  - { listen: 127.0.0.1:7000, routes: [{ source: 10.0.0.0/8, to: hub, channel: prices }, { to: hub }] }
`);

const hubOf = (question: Question) =>
	explain(HUB, question, [], () => false).map(({ listener, upstream, hub }) => {
		assert.equal(upstream, "hub");
		return `${listener.split(":")[1]} ${hub?.speaks} ${hub?.channel} ${hub?.match} ${hub?.policy} ${hub?.subscribe} ${hub?.publish}`;
	});

test("of a route to the hub its channel is told, and what holds for that", () => {
	const at = (path: string) => hubOf({ listener: "127.0.0.1:80", path });
	assert.deepEqual(at("/channels/rooms/4%32?last=1"), ["80 http rooms/42 rooms/* drop-oldest token token"]);
	assert.deepEqual(at("/a/prices"), ["80 http prices prices conflate public nobody"]);
	assert.deepEqual(at("/prices"), ["80 http prices prices conflate public nobody"]);
	assert.deepEqual(at("/a/other"), ["80 http other null null null null"]);
	assert.deepEqual(at("/a/rooms/"), ["80 http rooms/ null null null null"]);
	assert.deepEqual(at("/a/"), ["80 http null null null null null"]);
	assert.deepEqual(at("/a/%ff"), ["80 http %FF null null null null"]);
	assert.deepEqual(hubOf({ source: "10.0.0.1", listener: "127.0.0.1:7000" }), [
		"7000 frames prices prices conflate public nobody",
	]);
	assert.deepEqual(hubOf({ source: "11.0.0.1", listener: "127.0.0.1:7000" }), [
		"7000 frames null null null null null",
	]);
	assert.equal(ask({ protocol: "quic" })[0]?.hub, null);
});

test("silence ends no subscriber, and heartbeats stand in its place", () => {
	const [found] = explain(HUB, { path: "/a/prices" }, [], () => false);
	assert.deepEqual(
		found?.deadlines.map(({ timeout, value, from }) => `${timeout} ${value} ${from}`),
		[
			"handshake 5s default",
			"stall 5s route",
			"lifetime off default",
			"request_head 10s default",
			"keep_alive 75s default",
			"silence 300ms default",
			"heartbeat 10s hub",
			"dead_after 90s default",
		],
	);
});
