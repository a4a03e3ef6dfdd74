/** The dashboard's files and figures, over a view that a test fills in. */
import assert from "node:assert/strict";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { figures } from "../../src/admin/dashboard/figures.js";
import { readFigures } from "../../src/admin/dashboard/read-figures.js";
import { TurnTimes } from "../../src/admin/dashboard/turn-times.js";
import { openAdmin } from "../../src/admin/server.js";
import { SECONDS_BUCKETS } from "../../src/parts/buckets.js";
import { REASONS } from "../../src/parts/reasons.js";
import { Counters } from "../../src/reactor/records/counters.js";
import { eventually } from "../support/waiting.js";
import { EventStream } from "./events.js";
import { askAdmin, startAdmin } from "./port.js";
import { viewOf } from "./view.js";

const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

test("browsers are shown the page at /, and programs the list of paths", async (t) => {
	const port = await startAdmin(t);
	const page = await askAdmin(port, "/", { headers: BROWSER });
	assert.equal(page.status, 200);
	assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
	assert.match(page.body, /<title>Sluice<\/title>/);
	const list = await askAdmin(port, "/", { headers: { accept: "*/*" } });
	assert.match(list.headers["content-type"] ?? "", /^text\/plain/);
	assert.match(list.body, /\/metrics/);
});

test("all that the page names is there, and nothing of it is elsewhere", async (t) => {
	const port = await startAdmin(t);
	const { body, headers } = await askAdmin(port, "/", { headers: BROWSER });
	assert.match(
		String(headers["content-security-policy"]),
		/default-src 'none'; script-src 'self'; style-src 'self'/,
	);
	const wanted: string[] = [...body.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, path]) => String(path));
	const seen = new Set<string>();
	for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
		if (seen.has(path)) continue;
		seen.add(path);
		assert.match(path, /^\/[a-z]/, "of this site");
		const file = await askAdmin(port, path);
		assert.equal(file.status, 200, path);
		assert.ok(String(file.headers["content-security-policy"]).includes("default-src 'none'"), path);
		for (const [, from] of file.body.matchAll(/(?:import|export)[^;]*? from "(\.[^"]+)"/g))
			wanted.push(new URL(String(from), `http://sluice${path}`).pathname);
	}
	assert.ok(seen.size > 15, [...seen].join(" "));
});

test("the page needs no token, and its figures do", async (t) => {
	const port = await startAdmin(t, { adminTokens: () => ({ full: "secret-of-operators", read: "to-read" }) });
	assert.equal((await askAdmin(port, "/", { headers: BROWSER })).status, 200);
	assert.equal((await askAdmin(port, "/dashboard/main.js")).status, 200);
	assert.equal((await askAdmin(port, "/api/figures")).status, 401);
	assert.equal((await askAdmin(port, "/api/figures?follow=1")).status, 401);
	assert.equal(
		(await askAdmin(port, "/api/figures", { headers: { authorization: "Bearer to-read" } })).status,
		200,
	);
	assert.equal((await askAdmin(port, "/", { headers: { ...BROWSER, host: "evil.example" } })).status, 403);
});

test("pages of other sites take no places of viewers, and links from there lead here", async (t) => {
	const port = await startAdmin(t);
	const follow = "/api/figures?follow=1";
	for (const site of ["cross-site", "same-site"]) {
		const framed = await askAdmin(port, follow, {
			headers: { "sec-fetch-site": site, "sec-fetch-dest": "iframe" },
		});
		assert.equal(framed.status, 403, site);
	}
	const other = { "sec-fetch-site": "cross-site" };
	assert.equal(
		(await askAdmin(port, "/metrics", { headers: { ...other, "sec-fetch-dest": "image" } })).status,
		403,
	);
	const linked = { ...other, "sec-fetch-dest": "document" };
	assert.equal((await askAdmin(port, "/", { headers: { ...BROWSER, ...linked } })).status, 200);
	assert.equal((await askAdmin(port, "/api/figures", { headers: linked })).status, 200);
	const own = { "sec-fetch-site": "same-origin", "sec-fetch-dest": "empty" };
	assert.equal((await askAdmin(port, "/api/figures", { headers: own })).status, 200);
});

test("figures are those of counters and tables, as their schema says", () => {
	const [first, second] = [new Counters(), new Counters()];
	for (const counters of [first, second]) {
		counters.sessionOpened(0);
		counters.sessionOpened(0);
		counters.sessionClosed(0, REASONS.indexOf("idle_timeout"));
	}
	first.moved(0, 0, 100);
	second.moved(0, 1, 1_000);
	first.turnTook(2);
	const view = viewOf({
		counters: () => [first, second],
		listeners: () => [{ slot: 0, name: "a" }],
		acceptQueues: () => [{ listener: "a", depth: 32, limit: 128 }],
		sessions: () => ({
			...viewOf().sessions(),
			census: () => ({
				total: 2,
				states: new Map([["relaying", 2]]),
				protocols: new Map([
					["tls", 1],
					["http", 1],
				]),
				listeners: new Map([["a", 2]]),
				routes: new Map(),
				upstreams: new Map(Array.from({ length: 100 }, (_, index) => [`u${index}`, index])),
			}),
		}),
	});
	const read = figures.parse(readFigures(view, new TurnTimes()));
	const { totals, levels, reasons } = read.point;
	assert.deepEqual([totals.accepted, totals.closed, levels.sessions], [4, 2, 2]);
	assert.deepEqual([totals.bytes_from_client, totals.bytes_to_client], [100, 1_000]);
	assert.deepEqual(reasons, { idle_timeout: 2 });
	assert.deepEqual([levels.queued, levels.fullest_queue], [32, 0.25]);
	assert.equal(levels.turn_p99_seconds, 0.0025);
	assert.deepEqual(
		read.reactors.map(({ turn_p99_seconds }) => turn_p99_seconds),
		[0.0025, 0],
	);
	assert.deepEqual(
		read.parts.protocols.map(({ name }) => name),
		["http", "tls"],
		"equal ones by name",
	);
	assert.equal(read.parts.upstreams.length, 20);
	assert.deepEqual(read.parts.upstreams[0], { name: "u99", sessions: 99 });
	assert.equal(read.hub, null);
	assert.equal(read.tunnels, null);
});

test("how long turns took is that of those since the reading before", () => {
	const times = new TurnTimes();
	const cells = (fast: number, slow: number): number[] => [
		...SECONDS_BUCKETS.map((bound) => (bound === 0.001 ? fast : bound === 0.1 ? slow : 0)),
		...[0, 0],
	];
	assert.deepEqual(times.since(cells(0, 0)), { p50: 0, p99: 0 });
	assert.deepEqual(times.since(cells(100, 0)), { p50: 0.001, p99: 0.001 });
	assert.deepEqual(times.since(cells(190, 10)), { p50: 0.001, p99: 0.1 });
	assert.deepEqual(times.since(cells(190, 10)), { p50: 0, p99: 0 }, "none since");
});

test("a stream begins with the past, and goes on once a second", async (t) => {
	const port = await startAdmin(t);
	const stream = await EventStream.open(port, "/api/figures?follow=1");
	assert.match(stream.type, /^text\/event-stream/);
	const past = await stream.next();
	assert.equal(past.type, "past");
	assert.ok(Array.isArray(past.data));
	const [first, second] = [await stream.next(), await stream.next()];
	assert.deepEqual([first.type, second.type], ["figures", "figures"]);
	const at = ({ data }: typeof first): number => figures.parse(data).point.at;
	assert.ok(at(second) > at(first));

	const next = await EventStream.open(port, "/api/figures?follow=1");
	const { data } = await next.next();
	assert.ok((data as unknown as unknown[]).length >= 1, "who comes later is told what was");
	stream.close();
	next.close();
});

test("viewers that come at once make one reading, and no rates over moments", async (t) => {
	let readings = 0;
	const port = await startAdmin(t, {
		acceptQueues() {
			readings++;
			return [];
		},
	});
	for (let viewer = 0; viewer < 10; viewer++) {
		const stream = await EventStream.open(port, "/api/figures?follow=1");
		const [past, figures] = [await stream.next(), await stream.next()];
		assert.deepEqual([past.type, figures.type], ["past", "figures"]);
		stream.close();
	}
	assert.ok(readings <= 3, `${readings} readings`);
});

test("a reading that fails ends nothing: who comes is told so, and who is there goes on", async (t) => {
	let fails = false;
	const port = await startAdmin(t, {
		acceptQueues() {
			if (fails) throw new Error("no descriptor is left");
			return [];
		},
	});
	const stream = await EventStream.open(port, "/api/figures?follow=1");
	t.after(() => stream.close());
	await stream.next();
	await stream.next();
	fails = true;
	await setTimeout(1_100);
	const refused = await askAdmin(port, "/api/figures?follow=1");
	assert.deepEqual([refused.status, JSON.parse(refused.body)], [500, { error: "no descriptor is left" }]);
	fails = false;
	assert.equal((await stream.next()).type, "figures");
});

test("tokens that a reload has replaced show nothing more, also to who looks already", async (t) => {
	let full = "the-first-of-them-01";
	const port = await startAdmin(t, { adminTokens: () => ({ full, read: null }) });
	const stream = await EventStream.open(port, "/api/figures?follow=1", { authorization: `Bearer ${full}` });
	full = "the-second-of-them-2";
	await stream.ended;
	const again = await EventStream.open(port, "/api/figures?follow=1", { authorization: `Bearer ${full}` });
	await again.next();
	again.close();
});

test("a port that is closed, or could not be opened, reads nothing more", async (t) => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	let readings = 0;
	const view = viewOf({
		acceptQueues() {
			readings++;
			return [];
		},
	});
	const admin = await openAdmin({ host: "127.0.0.1", port: 0 }, view);
	const { port } = admin.server.address() as AddressInfo;
	await assert.rejects(openAdmin({ host: "127.0.0.1", port }, view), { code: "EADDRINUSE" });
	const stream = await EventStream.open(port, "/api/figures?follow=1");
	await admin.close();
	await stream.ended;
	readings = 0;
	t.mock.timers.tick(60_000);
	assert.equal(readings, 0);
});

test("viewers take half of the reserved descriptors and no more, and give them back", async (t) => {
	const port = await startAdmin(t, { descriptorsReserved: () => 5 });
	const streams = [
		await EventStream.open(port, "/api/figures?follow=1"),
		await EventStream.open(port, "/api/figures?follow=1"),
	];
	const refused = await askAdmin(port, "/api/figures?follow=1");
	assert.equal(refused.status, 503);
	assert.match(refused.body, /2 look at the dashboard already, which is half of limits\.fd_reserve/);
	assert.equal((await askAdmin(port, "/api/figures")).status, 200, "who asks once is no viewer");
	for (const stream of streams) stream.close();
	await eventually(
		async () => {
			const stream = await EventStream.open(port, "/api/figures?follow=1").catch(() => undefined);
			stream?.close();
			return stream !== undefined || undefined;
		},
		() => "their places are free again",
	);
});

test("a viewer that stops reading holds back nobody, and nothing but the newest figures waits for it", async (t) => {
	// So much that no kernel buffers it for long.
	const many = new Map(Array.from({ length: 20 }, (_, index) => [`${index}`.repeat(9_000), index]));
	const port = await startAdmin(t, {
		sessions: () => ({
			...viewOf().sessions(),
			census: () => ({
				...{ total: 1, states: new Map(), protocols: new Map() },
				...{ listeners: new Map(), routes: many, upstreams: new Map() },
			}),
		}),
	});
	const deaf = connect(port, "127.0.0.1");
	t.after(() => deaf.destroy());
	deaf.pause();
	deaf.write("GET /api/figures?follow=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
	const stream = await EventStream.open(port, "/api/figures?follow=1");
	t.after(() => stream.close());
	for (let events = 0; events < 4; events++) await stream.next();
	assert.equal((await askAdmin(port, "/healthz")).status, 200);
});
