/** The plan for a number of sessions: arithmetic over a made-up machine, and the picture of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { chart } from "../../src/doctor/plan/chart.js";
import type { Measured } from "../../src/doctor/plan/measured.js";
import { type Plan, planFor } from "../../src/doctor/plan/plan.js";
import { planFindings, planText } from "../../src/doctor/plan/tell.js";
import { askedOf, type Case, lineOf, PLAIN } from "./machine.js";

const MEASURED: Measured = {
	socketBytes: 4_000,
	sockets: 4_000,
	datagramSocketBytes: 2_000,
	acceptsPerSecond: 30_000,
	handshakesPerSecond: 3_000,
	key: "ECDSA prime256v1",
	unmeasured: null,
};

const NOT_MEASURED: Measured = {
	socketBytes: null,
	sockets: 0,
	datagramSocketBytes: null,
	acceptsPerSecond: null,
	handshakesPerSecond: null,
	key: "",
	unmeasured: "koffi is missing",
};

function plan(given: Case, connections: number, measured = MEASURED): Plan {
	return planFor(askedOf({ ...given, connections }), connections, measured);
}

function at({ resources }: Plan, id: string): number | null | undefined {
	return resources.find((each) => each.id === id)?.givesOutAt;
}

test("it tells what gives out first and at what number, as a picture and as sums", () => {
	const settings = { "fs.file-max": "2000000", "fs.file-nr": "2000 0 2000000" };
	assert.deepEqual(planText(plan({ settings }, 40_000)), [
		"plan for 40,000 sessions: local ports to upstreams gives out first, at 28,232",
		"",
		"                              100      1k       10k      100k        1M       10M",
		"                              ├─────────┼─────────┼─────────┼─────────┼─────────┤",
		"  descriptors of the process  ██████████████████████████████████▏                 261,824",
		"  limits.connections          █████████████████████████████████████▏              523,968",
		"  fs.file-max                 ███████████████████████████████████████▉            994,000",
		"  epoll watches               ██████████████████████████████████████████▌         1,800,000",
		"  local ports to upstreams    ████████████████████████▌ ·                         28,232 ◄ first",
		"  memory, all idle            █████████████████████████████████████████▋          1,471,071",
		"  … usual buffers full        ░░░░░░░░░░░░░░░░░░░░░     ·                         14,563 at once",
		"  … largest buffers full      ░░░                       ·                         204 at once",
		"",
		"                                needs        has",
		"  descriptors of the process   80,640    524,288",
		"  limits.connections           40,000    523,968",
		"  fs.file-max                  80,000  1,988,000",
		"  epoll watches                80,000  3,600,000",
		"  local ports to upstreams     40,000     28,232",
		"  memory, all idle            329 MiB   11.8 GiB",
		"  … usual buffers full         11 GiB      4 GiB",
		"  … largest buffers full      781 GiB      4 GiB",
		"",
		"  one session idle: 8.19 KiB of the kernel (measured here: 3.91 KiB for each of 4,000 sockets) and 238 B of the process",
		"  its buffers full: 296 KiB as they begin, 20 MiB as they may grow; where more are full than the light bars show, the kernel drops segments, or sessions end as memory_pressure",
		"  all 40,000 idle, and the process: 521 MiB",
		"  new sessions: about 30,000 a second (120,000 accepts without a byte); all 40,000 in 1.3 s",
		"  TLS handshakes: 12,000 a second at most (ECDSA prime256v1, not resumed); all 40,000 in 3.3 s",
		"  where all come at once, 16,384 can wait to be accepted, and the others try again a second later",
	]);
});

test("what mends the first moves the answer to the next, until there is room", () => {
	const low = { "open files": { soft: 1_024, hard: 20_000 } };
	const before = plan({ limits: low }, 40_000);
	assert.deepEqual(before.first, { id: "descriptors", at: 9_680 });
	const raised = plan({}, 40_000);
	assert.deepEqual(raised.first, { id: "ports", at: 28_232 });
	const wide = plan({ settings: { "net.ipv4.ip_local_port_range": "1024 65535" } }, 40_000);
	assert.deepEqual(wide.first, { id: "ports", at: 64_512 });
	assert.match(planText(wide)[0] ?? "", /^plan for 40,000 sessions: there is room; local ports/);
});

test("what bounds sessions, and what does not", () => {
	const unix = `
listeners: [{ listen: "0.0.0.0:443", routes: [{ to: a }] }]
upstreams: { a: "unix:/run/a.sock" }
`;
	assert.equal(at(plan({ yaml: unix }, 1_000), "ports"), null);
	// A table of the firewall that nobody uses bounds nothing.
	const table = { "net.netfilter.nf_conntrack_max": "20000", "net.netfilter.nf_conntrack_count": "0" };
	assert.equal(at(plan({ settings: table }, 1_000), "conntrack"), undefined);
	const used = { ...table, "net.netfilter.nf_conntrack_count": "2000" };
	assert.equal(at(plan({ settings: used }, 1_000), "conntrack"), 9_000);
	// What is full of bytes ends no session that is idle.
	const little = { "net.ipv4.tcp_mem": "10 20 30" };
	assert.notEqual(plan({ settings: little }, 1_000).first?.id, "memory-busy");
	assert.equal(at(plan({ settings: little }, 1_000), "memory-busy"), 0);
});

test("where memory is too little even for idle sessions, it is found", () => {
	const little = { facts: { availableBytes: 512 * 1_048_576 } };
	assert.deepEqual(planFindings(plan(little, 30_000)), []);
	assert.deepEqual(planFindings(plan(little, 40_000)).map(lineOf), [
		"fails plan.memory | 40,000 idle sessions need 329 MiB, and 320 MiB are left for them | - | the machine, or MemoryMax= of the unit: 521 MiB at least",
	]);
});

test("a session costs more where requests are read, and most where TLS ends", () => {
	const user = (yaml: string): number => plan({ yaml }, 1_000).perSession.user;
	const http = `
listeners: [{ listen: "0.0.0.0:80", routes: [{ host: a.test, to: a }] }]
upstreams: { a: { http: "http://10.0.0.1:80" } }
`;
	const tls = `
listeners: [{ listen: "0.0.0.0:443", tls: [{ names: [a.test], cert: a.pem, key: a.key }], routes: [{ sni: a.test, to: a }] }]
upstreams: { a: 10.0.0.1:80 }
`;
	const plain = user(PLAIN);
	assert.ok(plain < 256, `${plain}`);
	assert.ok(user(http) > plain);
	assert.ok(user(tls) > 10_000);
});

test("fixed buffers are reckoned twice, as the kernel does", () => {
	const { kernelIdle, kernelBusy, kernelMost } = plan(
		{ yaml: `sockets: { receive_buffer: 64KiB, send_buffer: 64KiB }${PLAIN}` },
		1_000,
	).perSession;
	assert.equal(kernelBusy - kernelIdle, 2 * 2 * 131_072);
	assert.equal(kernelMost, kernelBusy);
});

test("what could not be measured is assumed, and said to be", () => {
	const text = planText(plan({}, 1_000, NOT_MEASURED)).join("\n");
	assert.match(text, /one session idle: 8\.58 KiB of the kernel \(assumed: koffi is missing\)/);
	assert.match(text, /rates are not known: koffi is missing$/);
});

const ALL_KINDS = `
tunnels:
  listen: 127.0.0.1:4443
  insecure: true
  domain: t.test
  agents: [{ id: a, public_key: kDHCDoIsa0cXLjlRXO5jr7uPu913jCo34lbFr3lDrUk, names: [app] }]
hub: { memory: 16MiB, channels: [{ match: news, subscribe: public }] }
listeners:
  - { listen: "0.0.0.0:80", routes: [{ host: hub.test, to: hub }, { to: a }] }
  - { listen: "0.0.0.0:53/udp", routes: [{ to: dns }] }
upstreams: { a: 10.0.0.1:80, dns: { udp: "10.0.0.2:53" } }
`;

function kind(given: Plan, id: string) {
	const found = given.kinds.find((each) => each.id === id);
	assert.ok(found !== undefined);
	return found;
}

test("each kind has descriptors, memory of the kernel and of the process, and what it gives out first", () => {
	const all = plan({ yaml: ALL_KINDS }, 1_000);
	assert.deepEqual(
		all.kinds.map(({ id, isUsed, descriptors }) => [id, isUsed, descriptors]),
		[
			["session", true, 2],
			["datagrams", true, 1],
			["line", true, 1],
			["subscriber", true, 1],
		],
	);
	// A socket and its watch; of UDP the buffers are those that a socket begins with, and stay so.
	assert.equal(kind(all, "line").kernelIdle, 4_192);
	assert.equal(kind(all, "session").kernelIdle, 2 * 4_192);
	const { kernelIdle, kernelBusy, kernelMost } = kind(all, "datagrams");
	assert.deepEqual([kernelIdle, kernelBusy - kernelIdle, kernelMost - kernelIdle], [2_192, 425_984, 425_984]);
	// Sessions are the plan's own, whose ports are each upstream's; sockets of UDP share one range.
	assert.equal(kind(all, "session").user, all.perSession.user);
	assert.deepEqual(kind(all, "datagrams").first, { id: "ports", at: 28_232 });
	assert.deepEqual(kind(all, "line").first, { id: "descriptors", at: 261_822 });
	const text = planText(all);
	const at = text.findIndex((line) => line.startsWith("  one alone"));
	assert.deepEqual(text.slice(at, at + 5), [
		"  one alone             descriptors  kernel, idle  buffers full  process  at most",
		"  session                         2      8.19 KiB       296 KiB    426 B   28,232  local ports, all upstreams",
		"  session of datagrams            1      2.14 KiB       418 KiB    330 B   28,232  local ports, all upstreams",
		"  line, parked                    1      4.09 KiB       148 KiB    179 B  261,822  descriptors of the process",
		"  subscriber                      1      4.09 KiB       148 KiB    295 B  261,822  descriptors of the process",
	]);
});

test("what only one kind has to do with moves that kind alone", () => {
	const first = (given: Case, id: string) => kind(plan({ yaml: ALL_KINDS, ...given }, 1_000), id).first;
	const low = { limits: { "open files": { soft: 1_024, hard: 20_000 } } };
	for (const id of ["session", "datagrams", "line", "subscriber"])
		assert.equal(first(low, id)?.id, "descriptors", id);
	const narrow = { settings: { "net.ipv4.ip_local_port_range": "60000 60999" } };
	assert.deepEqual(first(narrow, "datagrams"), { id: "ports", at: 1_000 });
	assert.equal(first(narrow, "subscriber")?.id, "descriptors");
	const little = { facts: { availableBytes: 256 * 1_048_576 } };
	assert.deepEqual(first(little, "line")?.id, "memory-idle");
	// The same memory holds twice as many of what has half as many sockets.
	const [lines, sessions] = [first(little, "line")?.at ?? 0, first(little, "session")?.at ?? 0];
	assert.ok(lines > 1.8 * sessions, `${lines} lines, ${sessions} sessions`);
});

test("a line within TLS, and a subscriber whose TLS ends here, take what OpenSSL keeps", () => {
	const open = plan({ yaml: ALL_KINDS }, 1_000);
	const secure = plan(
		{
			yaml: ALL_KINDS.replace("  insecure: true\n", "  tls: { cert: a.pem, key: a.key }\n").replace(
				'{ listen: "0.0.0.0:80", routes',
				'{ listen: "0.0.0.0:443", tls: [{ names: [hub.test], cert: a.pem, key: a.key }], routes',
			),
		},
		1_000,
	);
	for (const id of ["line", "subscriber"])
		assert.ok(kind(secure, id).user > kind(open, id).user + 10_000, id);
	assert.equal(kind(secure, "datagrams").user, kind(open, "datagrams").user);
});

test("a configuration that has sessions of TCP alone has no table of kinds", () => {
	assert.ok(!planText(plan({}, 1_000)).some((line) => line.includes("one alone")));
});

test("bars are as long as their numbers say, on any scale", () => {
	const values = [0, 1, 100, 101, 999, 1_000, 54_321, 1_000_000, 12_345_678, 10 ** 10];
	const bars = values.map((value) => ({ name: "a", value, remark: "", isLight: false }));
	for (const asked of [1, 100, 5_000, 1_048_576]) {
		const lines = chart(bars, asked).slice(2);
		const lengths = lines.map((line) => (/█*/.exec(line.slice(3))?.[0] ?? "").length);
		assert.deepEqual(lengths, [0, 0, 0, 0, 9, 10, 27, 40, 50, 70]);
		for (const [index, line] of lines.entries())
			assert.ok(line.endsWith((values[index] ?? 0).toLocaleString("en-US")), line);
	}
	assert.match(
		chart([{ name: "a", value: null, remark: "", isLight: true }], 100)[2] ?? "",
		/░{40} +any number$/,
	);
});
