import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Cidr, RouteConditions, RouteProtocol } from "../../src/config/config.js";
import { formatAddress } from "../../src/protocol/address.js";
import { parseRequest } from "../../src/protocol/http/request.js";
import { type Imagined, whyNot } from "../../src/route/explain.js";
import { allAtOnce } from "../../src/route/pieces.js";
import { contains, Router } from "../../src/route/router.js";
import { type Client, type Kind, Queries, route, saysHello } from "./queries.js";

function routerOf(...options: Parameters<typeof Router.build>): Router {
	return allAtOnce(Router.build(...options));
}

/** Of connections, and of first datagrams. */
const STREAMS: readonly Kind[] = ["tls", "http", "ssh", "h2c", "other", "silence"];
const KINDS: readonly Kind[] = [...STREAMS, "quic", "dtls"];
const CLIENT: Client = { kind: "tls", name: "", alpn: [], source: [10, 0, 0, 1] };

/** First match of a list of conditions, written as the configuration's documentation says it. */
function firstMatch(routes: readonly RouteConditions[], client: Client): number {
	return routes.findIndex((route) => {
		const { secured } = client;
		const hasHello = saysHello(client.kind) || secured !== undefined;
		const serverName = secured === undefined ? client.name : secured.serverName;
		const protocols = secured === undefined ? client.alpn : [secured.alpn];
		if (route.sni !== null && !(hasHello && covers(route.sni, serverName))) return false;
		if (route.host !== null && !(client.kind === "http" && covers(route.host, client.name))) return false;
		if (route.alpn !== null && !(hasHello && protocols.includes(route.alpn))) return false;
		if (route.protocol === null) {
			// A silent client takes no route but `protocol: any`, and where it is silent behind TLS, those of TLS.
			const asksHello = route.sni !== null || route.alpn !== null;
			if (client.kind === "silence" && !(asksHello && hasHello)) return false;
		} else if (route.protocol !== "any" && route.protocol !== client.kind) {
			if (!(secured !== undefined && route.protocol === "tls")) return false;
		}
		return route.source === null || holds(route.source, client.source);
	});
}

function covers(pattern: string, name: string): boolean {
	if (!pattern.startsWith("*.")) return pattern === name;
	return name.length > pattern.length - 1 && name.endsWith(pattern.slice(1));
}

/** Bit by bit. */
function holds(block: Cidr, address: readonly number[]): boolean {
	if (block.bytes.length !== address.length) return false;
	const bits = (bytes: readonly number[]) => bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("");
	return bits(address).startsWith(bits(block.bytes).slice(0, block.prefixLength));
}

function block(bytes: readonly number[], prefixLength: number): Cidr {
	const kept = bytes.map((byte, index) => {
		const left = Math.max(0, Math.min(8, prefixLength - 8 * index));
		return byte & (0xff << (8 - left)) & 0xff;
	});
	return { family: bytes.length === 4 ? 4 : 6, bytes: kept, prefixLength };
}

// Few labels, addresses and protocols, so that conditions meet, and often nearly do.
const label = fc.constantFrom("a", "b", "c", "ab", "b-c", "x1");
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
const pattern = fc.oneof(
	name,
	name.map((text) => `*.${text}`),
);
const alpnName = fc.constantFrom("h2", "http/1.1", "h", "h22", "acme-tls/1");
const address = fc.oneof(
	fc.tuple(fc.constant(10), fc.constantFrom(0, 1), fc.constantFrom(0, 128), fc.nat(255)),
	fc
		.tuple(fc.constantFrom(0x20, 0xfd), fc.constantFrom(0, 1), fc.nat(255))
		.map(([first, second, last]) => [first, second, ...new Array<number>(13).fill(0), last]),
);
const anyBlock = address.chain((bytes) =>
	fc.integer({ min: 0, max: bytes.length * 8 }).map((length) => block(bytes, length)),
);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 2 });

/** Only what `sluice check` lets pass: conditions of two protocols on one route where one is inside the other. */
const anyRoute: fc.Arbitrary<RouteConditions> = fc
	.record({
		kind: fc.constantFrom("tls", "http", "inside", "other"),
		name: maybe(pattern),
		host: maybe(pattern),
		alpn: maybe(alpnName),
		written: fc.boolean(),
		hello: fc.constantFrom<RouteProtocol>("tls", "quic", "dtls"),
		protocol: maybe(
			fc.constantFrom<RouteProtocol>("tls", "http", "ssh", "h2c", "quic", "dtls", "other", "any"),
		),
		source: maybe(anyBlock),
	})
	.map(({ kind, name, host, alpn, written, hello, protocol, source }) => {
		if (kind === "tls") return route({ sni: name, alpn, protocol: written ? hello : null, source });
		if (kind === "http") return route({ host: name, protocol: written ? "http" : null, source });
		if (kind === "inside" && host !== null)
			return route({ sni: name, alpn, host, protocol: written ? "http" : null, source });
		if (kind === "inside") return route({ sni: name, alpn, protocol, source });
		return route({ protocol, source });
	});
const clientOf = (kinds: readonly Kind[]): fc.Arbitrary<Client> =>
	fc.record({
		kind: fc.constantFrom(...kinds),
		name: fc.oneof(name, fc.constant("")),
		alpn: fc.array(alpnName, { maxLength: 3 }),
		source: address,
	});
const client = clientOf(KINDS);
/** Behind TLS that is ours. */
const securedClient: fc.Arbitrary<Client> = fc
	.record({
		client: clientOf(STREAMS),
		serverName: fc.oneof(name, fc.constant("")),
		alpn: fc.oneof(alpnName, fc.constant("")),
	})
	.map(({ client, serverName, alpn }) => ({ ...client, secured: { serverName, alpn } }));

test("the first route that matches wins, whatever the routes and the client", () => {
	fc.assert(
		fc.property(
			fc.array(anyRoute, { maxLength: 25 }),
			fc.array(fc.oneof(client, securedClient), { maxLength: 12 }),
			(routes, clients) => {
				const router = routerOf(routes);
				const queries = new Queries();
				for (const each of clients) assert.equal(router.match(queries.of(each)), firstMatch(routes, each));
			},
		),
		{ numRuns: 3_000 },
	);
});

/** As the file has it, where each condition may have several values. */
function asLists({ sni, host, alpn, protocol, source, path, subprotocol }: RouteConditions) {
	const listed = <Value>(value: Value | null): Value[] | null => (value === null ? null : [value]);
	return {
		...{ sni: listed(sni), host: listed(host), alpn: listed(alpn), protocol: listed(protocol) },
		...{ source: listed(source), path: listed(path), subprotocol: listed(subprotocol) },
	};
}

/** The same client, as an operator would describe it. */
function imagined({ kind, name, alpn, source, secured }: Client): Imagined {
	const spoken = kind === "silence" ? null : kind;
	const hasHello = saysHello(kind) || secured !== undefined;
	const serverName = secured === undefined ? name : secured.serverName;
	const bytes = Uint8Array.from(source);
	return {
		...{ protocol: spoken, isTerminated: secured !== undefined },
		sni: hasHello && serverName !== "" ? serverName : null,
		host: kind === "http" && name !== "" ? name : null,
		...{ path: null, subprotocol: null },
		alpn: secured === undefined ? alpn : [secured.alpn],
		source: formatAddress(bytes, 0, bytes.length === 4 ? 4 : 6),
	};
}

test("what is explained is what the router does, whatever the routes and the client", () => {
	fc.assert(
		fc.property(
			fc.array(anyRoute, { maxLength: 25 }),
			fc.array(fc.oneof(client, securedClient), { maxLength: 12 }),
			(routes, clients) => {
				const router = routerOf(routes);
				const queries = new Queries();
				for (const each of clients) {
					const explained = routes.findIndex((route) => whyNot(asLists(route), imagined(each)).length === 0);
					assert.equal(explained, router.match(queries.of(each)));
				}
			},
		),
		{ numRuns: 1_000 },
	);
});

test("a wildcard stands for one label or more, and whole labels only", () => {
	const router = routerOf([route({ sni: "*.b.c" })]);
	const queries = new Queries();
	const matches = (name: string) => router.match(queries.of({ ...CLIENT, name })) === 0;
	for (const name of ["a.b.c", "x.a.b.c", "b.b.c", "b.c.b.c"]) assert.ok(matches(name), name);
	for (const name of ["b.c", "c", "ab.c", "xb.c", "a.b.cc", "b.c.a", "a.b.c.d", ""])
		assert.ok(!matches(name), name);
});

test("a name that ends as an earlier client's did is not taken for it", () => {
	const router = routerOf([route({ sni: "git.example.com" }), route({ sni: "git.example.co" })]);
	const queries = new Queries();
	assert.equal(router.match(queries.of({ ...CLIENT, name: "git.example.com" })), 0);
	assert.equal(router.match(queries.of({ ...CLIENT, name: "git.example.co" })), 1);
	assert.equal(router.match(queries.of({ ...CLIENT, name: "" })), -1);
});

test("names of TLS and of HTTP are two worlds", () => {
	const router = routerOf([route({ host: "a.b" }), route({ sni: "a.b" }), route({ protocol: "http" })]);
	const queries = new Queries();
	assert.equal(router.match(queries.of({ ...CLIENT, name: "a.b" })), 1);
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "http", name: "a.b" })), 0);
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "http", name: "c.b" })), 2);
	// h2c carries its host behind the preface, where nobody has looked.
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "h2c", name: "a.b" })), -1);
});

test("a hello says name and ALPN whether it comes by TLS, QUIC or DTLS, and a route may ask which", () => {
	const router = routerOf([
		route({ sni: "a.b", protocol: "quic" }),
		route({ alpn: "h3", protocol: "dtls" }),
		route({ sni: "a.b" }),
		route({ alpn: "h3" }),
		route({ protocol: "dtls" }),
		route({ protocol: "tls" }),
		route({}),
	]);
	const queries = new Queries();
	const match = (kind: Kind, name: string, alpn: readonly string[] = []): number =>
		router.match(queries.of({ ...CLIENT, kind, name, alpn }));
	assert.deepEqual([match("quic", "a.b"), match("tls", "a.b"), match("dtls", "a.b")], [0, 2, 2]);
	assert.deepEqual([match("quic", "x", ["h3"]), match("dtls", "x", ["h3"])], [3, 1]);
	assert.deepEqual(
		[match("dtls", ""), match("tls", ""), match("quic", ""), match("other", "")],
		[4, 5, 6, 6],
	);
	// What is no hello has no name, whatever was left of the one before.
	assert.equal(match("other", "a.b"), 6);
});

test("a client that is not TLS takes no ALPN from the one before", () => {
	const router = routerOf([route({ alpn: "h2" }), route({})]);
	const queries = new Queries();
	assert.equal(router.match(queries.of({ ...CLIENT, alpn: ["http/1.1", "h2"] })), 0);
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "http" })), 1);
	assert.equal(router.match(queries.of(CLIENT)), 1);
});

test("a subprotocol is offered by a WebSocket handshake, and by no other request", () => {
	const router = routerOf([
		route({ subprotocol: "mqtt", host: "a" }),
		route({ subprotocol: "mqtt" }),
		route({}),
	]);
	const bytes = new TextEncoder().encode(
		"GET / HTTP/1.1\r\nHost: b\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: y, MQTT\r\n\r\n",
	);
	const queries = new Queries();
	const ask = (name: string, isWebSocket: boolean): number => {
		const query = queries.of({ ...CLIENT, kind: "http", name });
		Object.assign(query, { requestBytes: bytes, isWebSocket });
		parseRequest(bytes, 0, bytes.length, query.request);
		return router.match(query);
	};
	assert.deepEqual([ask("a", true), ask("b", true), ask("a", false)], [0, 1, 2]);
});

test("a silent client takes `protocol: any` only, and everything recognised takes it too", () => {
	const router = routerOf([
		route({ sni: "a" }),
		route({ protocol: "any", source: block([10, 0, 0, 0], 8) }),
		route({}),
	]);
	const queries = new Queries();
	assert.ok(router.takesSilence);
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "silence" })), 1);
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "silence", source: [11, 0, 0, 1] })), -1);
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "other" })), 1);
	assert.equal(router.match(queries.of({ ...CLIENT, kind: "other", source: [11, 0, 0, 1] })), 2);
	assert.ok(!routerOf([route({}), route({ protocol: "other" })]).takesSilence);
});

const SECURED: Client = { ...CLIENT, kind: "http", secured: { serverName: "www.a", alpn: "http/1.1" } };

test("behind TLS that is ours, routes may ask about the hello and about what is inside", () => {
	const router = routerOf([
		route({ sni: "git.a" }),
		route({ host: "git.a" }),
		route({ sni: "*.a", alpn: "http/1.1" }),
		route({ protocol: "tls" }),
	]);
	const queries = new Queries();
	const match = (client: Client) => router.match(queries.of(client));
	assert.equal(match({ ...SECURED, name: "git.a" }), 1, "the name inside is no SNI");
	assert.equal(match({ ...SECURED, name: "www.b" }), 2);
	assert.equal(match({ ...SECURED, kind: "ssh" }), 2);
	// What counts is what was agreed on, not what was offered.
	const noAlpn = { serverName: "www.a", alpn: "" };
	assert.equal(match({ ...SECURED, kind: "other", alpn: ["http/1.1"], secured: noAlpn }), 3);
	assert.equal(match({ ...SECURED, kind: "other", secured: { ...noAlpn, alpn: "http/1.1x" } }), 3);
	assert.equal(match({ ...SECURED, kind: "other", secured: { serverName: "", alpn: "http/1.1" } }), 3);
	// And nothing of it stays for the next one.
	assert.equal(match({ ...CLIENT, kind: "http", name: "www.b" }), -1);
});

test("`protocol: tls` beside what is asked of requests takes those that come through TLS, and none in the open", () => {
	const router = routerOf([route({ host: "www.b", protocol: "tls" }), route({ host: "www.b" })]);
	const queries = new Queries();
	const match = (client: Client) => router.match(queries.of(client));
	assert.equal(match({ ...SECURED, name: "www.b" }), 0);
	assert.equal(match({ ...CLIENT, kind: "http", name: "www.b" }), 1);
	assert.equal(match({ ...SECURED, name: "www.c" }), -1);
	assert.equal(match({ ...CLIENT, kind: "tls", name: "www.b" }), -1, "nothing of it is read");
	assert.equal(match({ ...SECURED, kind: "ssh", name: "www.b" }), -1);
});

test("a terminated connection's bytes are waited for where an earlier route asks what they are", () => {
	const queries = new Queries();
	/** As after the handshake: what is inside is not known. */
	const hello: Client = { ...SECURED, kind: "tls" };
	const looksInside = (...routes: Partial<RouteConditions>[]) =>
		routerOf(routes.map(route)).looksInside(queries.of(hello));
	assert.equal(looksInside({ sni: "www.a" }), false);
	assert.equal(looksInside({}), false);
	assert.equal(looksInside({ protocol: "tls" }), false);
	assert.equal(looksInside({ protocol: "any" }), false);
	assert.equal(looksInside({ sni: "www.a" }, { host: "x" }), false, "nothing inside could change it");
	assert.equal(looksInside({ host: "x" }, { sni: "www.a" }), true);
	assert.equal(looksInside({ path: "/x" }, {}), true);
	assert.equal(looksInside({ protocol: "ssh" }, {}), true);
	assert.equal(looksInside({ protocol: "other" }, {}), true);
	assert.equal(looksInside({ sni: "other.a" }, { host: "x" }), true, "no route so far");
	assert.equal(looksInside({ sni: "other.a" }), false, "nothing inside could help");
	assert.equal(looksInside({ alpn: "h2" }, { sni: "www.a" }, { host: "x" }), false);
});

test("bytes are looked at when, and only when, a route asks about them", () => {
	assert.equal(routerOf([route({})]).peeks, false);
	assert.equal(routerOf([route({ source: block([10, 0, 0, 0], 8) }), route({})]).peeks, false);
	for (const conditions of [{ sni: "a" }, { host: "a" }, { alpn: "h2" }, { protocol: "ssh" as const }])
		assert.equal(routerOf([route({}), route(conditions)]).peeks, true);
});

test("a block holds exactly the addresses whose first bits are its own", () => {
	const anyAddress = fc.oneof(
		fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
		fc.array(fc.nat(255), { minLength: 16, maxLength: 16 }),
	);
	fc.assert(
		fc.property(
			anyAddress,
			anyAddress,
			fc.nat(128),
			fc.nat(127),
			fc.nat(20),
			(own, other, prefix, flippedBit, offset) => {
				const bits = own.length * 8;
				const cidr = block(own, Math.min(prefix, bits));
				// One bit away: inside or outside depending on where that bit is.
				const near = own.map((byte, index) =>
					index === (flippedBit % bits) >> 3 ? byte ^ (0x80 >> (flippedBit & 7)) : byte,
				);
				for (const candidate of [own, near, other]) {
					const bytes = new Uint8Array(offset + 32).fill(0x55);
					bytes.set(candidate, offset);
					const family = candidate.length === 4 ? 4 : 6;
					assert.equal(contains(cidr, family, bytes, offset), holds(cidr, candidate));
				}
			},
		),
		{ numRuns: 5_000 },
	);
});

test("an IPv4 block holds no IPv6 address, whatever its bytes, and the other way round", () => {
	const bytes = new Uint8Array(16);
	assert.equal(contains(block([0, 0, 0, 0], 0), 6, bytes, 0), false);
	assert.equal(contains(block(new Array<number>(16).fill(0), 0), 4, bytes, 0), false);
	assert.equal(contains(block([0, 0, 0, 0], 0), 4, bytes, 0), true);
});

test("each of ten thousand names finds its route, its wildcard, and nothing else", () => {
	const names = manyNames(10_000);
	const routes = [
		...names.map((name) => route({ sni: name })),
		...names.map((name) => route({ sni: `*.${name}` })),
		route({ protocol: "tls" }),
	];
	const router = routerOf(routes);
	const queries = new Queries();
	for (const [index, name] of names.entries()) {
		assert.equal(router.match(queries.of({ ...CLIENT, name })), index);
		assert.equal(router.match(queries.of({ ...CLIENT, name: `x.y.${name}` })), names.length + index);
		assert.equal(router.match(queries.of({ ...CLIENT, name: `x${name}` })), routes.length - 1);
	}
});

test("a name among ten thousand is found with as few looks into the table as one among ten", () => {
	for (const [manner, make] of Object.entries(MANNERS)) {
		const few = looks(make(10));
		const many = looks(make(10_000));
		// A look at the cell, at the hash, and twice at where the name lies; more only where two names meet.
		assert.ok(many.average <= few.average + 1, `${manner}: ${few.average} looks grew to ${many.average}`);
		assert.ok(many.most <= 40, `${manner}: one name takes ${many.most} looks`);
	}
});

const MANNERS: Readonly<Record<string, (count: number) => string[]>> = {
	"of customers": manyNames,
	"counted up": (count) => Array.from({ length: count }, (_, index) => `${index}`),
	"of hosts in a rack": (count) =>
		Array.from({ length: count }, (_, i) => `r${i >> 6}-n${i & 63}.dc.internal`),
	"that differ at their end": (count) => Array.from({ length: count }, (_, index) => `app.t${index}`),
};

function manyNames(count: number): string[] {
	return Array.from({ length: count }, (_, index) => `customer-${index}.apps.example.com`);
}

/** How often the table is read for a name: for each that is in it, and for as many that are not. */
function looks(names: readonly string[]): { average: number; most: number } {
	let reads = 0;
	const Original = globalThis.Int32Array;
	// Everything a lookup reads but the names themselves lies in Int32Arrays, made here.
	class Counting extends Original {
		constructor(length: number) {
			super(length);
			// biome-ignore lint/correctness/noConstructorReturn: a proxy in its place counts who reads it
			return new Proxy(this, {
				get(target, key) {
					reads++;
					return Reflect.get(target, key);
				},
			});
		}
	}
	globalThis.Int32Array = Counting as unknown as Int32ArrayConstructor;
	let router: Router;
	try {
		router = routerOf(names.map((name) => route({ sni: name })));
	} finally {
		globalThis.Int32Array = Original;
	}
	const queries = new Queries();
	let total = 0;
	let most = 0;
	const asked = names.flatMap((name) => [name, `${name}x`]);
	for (const name of asked) {
		const query = queries.of({ ...CLIENT, name });
		reads = 0;
		router.match(query);
		assert.ok(reads > 0, "the table was not read at all: it no longer lies where this test looks");
		total += reads;
		most = Math.max(most, reads);
	}
	return { average: total / asked.length, most };
}
