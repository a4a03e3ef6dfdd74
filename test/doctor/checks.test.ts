/** What the doctor makes of a machine: each case differs from a good one in what it says, and has exactly these findings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { examine, statusOf } from "../../src/doctor/examine.js";
import { askedOf, type Case, findingsOf, one, PLAIN, toDo } from "./machine.js";

const UNIT = "/etc/systemd/system/sluice.service.d/limits.conf: [Service]";
const SYSCTLS = "/etc/sysctl.d/90-sluice.conf:";

const UDP = `
listeners: [{ listen: "0.0.0.0:443/udp", routes: [{ to: q }] }]
upstreams: { q: { udp: [10.0.0.1:443] } }
`;

test("on a good machine there is nothing to do, and each finding says why it was looked at", () => {
	const areas = examine(askedOf({ connections: 10_000 }));
	assert.deepEqual(toDo({ connections: 10_000 }), []);
	assert.equal(statusOf(areas), 0);
	for (const { findings } of areas)
		for (const { id, found, why } of findings) assert.ok(found !== "" && why !== "", id);
});

const CASES: readonly (readonly [sentence: string, given: Case, toDo: readonly string[]])[] = [
	[
		"too low a limit of descriptors fails, and the command allows what was asked for",
		{ limits: { "open files": { soft: 1_024, hard: 4_096 } }, connections: 10_000 },
		[
			`fails descriptors.process | the hard limit of descriptors is 4,096 (soft 1,024: sluice raises it to the hard one by itself): room for 1,920 sessions of two, and 10,000 are asked for, which need 20,640 descriptors | prlimit --pid $$ --nofile=21000:21000 | ${UNIT} LimitNOFILE=21000`,
		],
	],
	[
		"a limit with which hardly anything can be served is advised against, though nobody asked",
		{ limits: { "open files": { soft: 1_024, hard: 1_024 } } },
		[
			`advice descriptors.process | the hard limit of descriptors is 1,024: room for 432 sessions of two | prlimit --pid $$ --nofile=200000:200000 | ${UNIT} LimitNOFILE=200000`,
		],
	],
	[
		"more is asked for than the configuration lets in",
		{ yaml: `limits: { connections: 5000 }${PLAIN}`, connections: 10_000 },
		[
			"fails descriptors.limit | limits.connections is 5,000, and 10,000 are asked for | - | sluice.yaml: limits: { connections: 10000 }",
		],
	],
	[
		"a low soft limit is none: the gateway raises it",
		{ limits: { "open files": { soft: 256, hard: 524_288 } } },
		[],
	],
	[
		"what no process may have must be raised first",
		{
			limits: { "open files": { soft: 1_024, hard: 60_000 } },
			settings: { "fs.nr_open": "60000", "net.ipv4.ip_local_port_range": "1024 65535" },
			connections: 50_000,
		},
		[
			`fails descriptors.process | the hard limit of descriptors is 60,000 (soft 1,024: sluice raises it to the hard one by itself): room for 29,680 sessions of two, and 50,000 are asked for, which need 100,640 descriptors | prlimit --pid $$ --nofile=110000:110000 | ${UNIT} LimitNOFILE=110000`,
			`fails descriptors.nr-open | fs.nr_open is 60,000, and 100,640 descriptors are needed: raise it before the limit of the process | sysctl -w fs.nr_open=110000 | ${SYSCTLS} fs.nr_open = 110000`,
		],
	],
	[
		"files of the whole system are counted with those of others",
		{ settings: { "fs.file-max": "50000", "fs.file-nr": "25000 0 50000" }, connections: 10_000 },
		[
			`fails descriptors.file-max | fs.file-max is 50,000, and 25,000 are open; with 20,640 more for the gateway none is left for others | sysctl -w fs.file-max=66000 | ${SYSCTLS} fs.file-max = 66000`,
		],
	],
	[
		"limits that end or starve the process",
		{
			limits: {
				processes: { soft: 30, hard: 30 },
				"address space": { soft: 1_073_741_824, hard: 1_073_741_824 },
				"cpu time": { soft: 3_600, hard: 3_600 },
				"file size": { soft: 1_048_576, hard: 1_048_576 },
			},
			connections: 1_000,
		},
		[
			`advice process.threads | this user may have 30 processes and threads, all programs together, and the gateway alone has 15 threads | prlimit --pid $$ --nproc=4096:4096 | ${UNIT} LimitNPROC=4096`,
			`fails process.address-space | the limit of address space is 1 GiB, and the gateway needs about 2 GiB | prlimit --pid $$ --as=unlimited:unlimited | ${UNIT} LimitAS=infinity`,
			`fails process.cpu-time | the process may use 3,600 s of processor time | prlimit --pid $$ --cpu=unlimited:unlimited | ${UNIT} LimitCPU=infinity`,
			`advice process.file-size | a file may have 1 MiB | prlimit --pid $$ --fsize=unlimited:unlimited | ${UNIT} LimitFSIZE=infinity`,
		],
	],
	[
		"threads are counted in the control group as well",
		{ facts: { pidsGroup: { directory: "/sys/fs/cgroup/a", max: 20, used: 10 } } },
		[
			`fails cgroup.pids | the control group may have 20 processes and threads, of which 10 are there (/sys/fs/cgroup/a); the gateway has 15 | echo 80 > /sys/fs/cgroup/a/pids.max | ${UNIT} TasksMax=80`,
		],
	],
	[
		"a backlog above somaxconn is cut in silence",
		{
			settings: { "net.core.somaxconn": "128" },
			yaml: `
listeners:
  - { listen: "0.0.0.0:443", routes: [{ to: a }] }
  - { listen: "0.0.0.0:80", backlog: 100, routes: [{ to: a }] }
upstreams: { a: 10.0.0.1:443 }
`,
		},
		[
			`advice accept.somaxconn | net.core.somaxconn is 128, and 0.0.0.0:443 asks for 4,096 | sysctl -w net.core.somaxconn=4096 | ${SYSCTLS} net.core.somaxconn = 4096`,
		],
	],
	[
		"without syncookies the other setting counts, too",
		{ settings: { "net.ipv4.tcp_syncookies": "0", "net.ipv4.tcp_abort_on_overflow": "1" } },
		[
			`advice accept.syncookies | net.ipv4.tcp_syncookies is 0: never sent | sysctl -w net.ipv4.tcp_syncookies=1 | ${SYSCTLS} net.ipv4.tcp_syncookies = 1`,
			`advice accept.syn-backlog | net.ipv4.tcp_max_syn_backlog is 1,024, syncookies are off, and a backlog is 4,096 | sysctl -w net.ipv4.tcp_max_syn_backlog=4096 | ${SYSCTLS} net.ipv4.tcp_max_syn_backlog = 4096`,
			`advice accept.abort-on-overflow | net.ipv4.tcp_abort_on_overflow is 1 | sysctl -w net.ipv4.tcp_abort_on_overflow=0 | ${SYSCTLS} net.ipv4.tcp_abort_on_overflow = 0`,
		],
	],
	[
		"one upstream address has as many sessions as there are local ports",
		{ connections: 40_000 },
		[
			`fails ports.range | net.ipv4.ip_local_port_range is 32768 to 60999: 28,232 ports; a can have 28,232, and 40,000 sessions are asked for | sysctl -w net.ipv4.ip_local_port_range="1024 65535" | ${SYSCTLS} net.ipv4.ip_local_port_range = 1024 65535`,
		],
	],
	[
		"two addresses have twice as many, and a Unix socket any number",
		{
			connections: 40_000,
			yaml: `
listeners: [{ listen: "0.0.0.0:443", routes: [{ sni: a.test, to: a }, { to: b }] }]
upstreams: { a: { addresses: [10.0.0.1:443, 10.0.0.2:443] }, b: "unix:/run/b.sock" }
`,
		},
		[],
	],
	[
		"a listener among the ports of outgoing connections may find its own taken",
		{
			settings: { "net.ipv4.ip_local_reserved_ports": "50000-50010" },
			yaml: `
admin: 127.0.0.1:50005
listeners: [{ listen: "0.0.0.0:40000", routes: [{ to: a }] }]
upstreams: { a: 10.0.0.1:443 }
`,
		},
		[
			`advice ports.listeners | the gateway listens on 40000, within the ports of outgoing connections (32768 to 60999) | sysctl -w net.ipv4.ip_local_reserved_ports=50000-50010,40000 | ${SYSCTLS} net.ipv4.ip_local_reserved_ports = 50000-50010,40000`,
		],
	],
	[
		"half of the ports wait already",
		{ settings: { "net.ipv4.tcp_tw_reuse": "2" }, facts: { timeWait: 20_000 } },
		[
			`advice ports.tw-reuse | net.ipv4.tcp_tw_reuse is 2, so ports are reused on loopback only: 470 new sessions a second to each upstream address use all ports up; 20,000 connections in TIME_WAIT now | sysctl -w net.ipv4.tcp_tw_reuse=1 | ${SYSCTLS} net.ipv4.tcp_tw_reuse = 1`,
		],
	],
	[
		"sessions may not have what the control group has not",
		{
			facts: {
				memoryGroup: {
					version: 2,
					directory: "/sys/fs/cgroup/a",
					limitBytes: 536_870_912,
					highBytes: 402_653_184,
					usedBytes: 1_048_576,
				},
			},
			yaml: `limits: { memory: 512MiB }${PLAIN}`,
		},
		[
			"fails memory.limit | the control group has 512 MiB; sessions may hold 512 MiB (as limits.memory says), and the process itself takes up to 128 MiB | - | sluice.yaml: limits: { memory: 192MiB }",
			`advice cgroup.memory-high | memory.high of the control group is 384 MiB | echo max > /sys/fs/cgroup/a/memory.high | ${UNIT} MemoryHigh=infinity`,
		],
	],
	[
		"a group in which the process itself has no room",
		{
			facts: {
				memoryGroup: {
					version: 1,
					directory: "/sys/fs/cgroup/memory/a",
					limitBytes: 67_108_864,
					highBytes: null,
					usedBytes: null,
				},
			},
		},
		[
			"advice memory.limit | the control group has 64 MiB; sessions may hold 16 MiB (a quarter of it), and the process itself takes up to 128 MiB | - | sluice.yaml: limits: { memory: 16MiB }",
			`fails cgroup.memory | the control group (version 1, /sys/fs/cgroup/memory/a) may have 64 MiB | echo 536870912 > /sys/fs/cgroup/memory/a/memory.limit_in_bytes | ${UNIT} MemoryMax=512M`,
		],
	],
	[
		"swap that is in use",
		{ facts: { swapBytes: 2_147_483_648, swapUsedBytes: 1_073_741_824 } },
		[
			`advice memory.swap | 2 GiB of swap, of which 1 GiB are in use; vm.swappiness is 60 | sysctl -w vm.swappiness=1 | ${SYSCTLS} vm.swappiness = 1`,
		],
	],
	[
		"limits.memory above what the kernel gives to all sockets",
		{ settings: { "net.ipv4.tcp_mem": "10000 20000 30000" }, yaml: `limits: { memory: 1GiB }${PLAIN}` },
		[
			`advice memory.tcp | net.ipv4.tcp_mem is 78.1 MiB until pressure and 117 MiB at most, of which 1 MiB are in use; that is less than sessions may hold (1 GiB) | sysctl -w net.ipv4.tcp_mem="163840 218453 327680" | ${SYSCTLS} net.ipv4.tcp_mem = 163840 218453 327680`,
		],
	],
	[
		"receive buffers of datagrams",
		{
			yaml: UDP,
			settings: { "net.core.rmem_max": "212992", "net.ipv4.udp_mem": "1000 2000 3000" },
		},
		[
			`advice memory.udp | net.ipv4.udp_mem is 11.7 MiB at most, of which 0 B are in use; the listeners' receive buffers may hold 32 MiB | sysctl -w net.ipv4.udp_mem="6144 8192 12288" | ${SYSCTLS} net.ipv4.udp_mem = 6144 8192 12288`,
			`advice buffers.datagrams | net.core.rmem_max is 208 KiB, and listeners on UDP ask for 4 MiB | sysctl -w net.core.rmem_max=4194304 | ${SYSCTLS} net.core.rmem_max = 4194304`,
		],
	],
	[
		"sizes that the kernel cuts",
		{ yaml: `sockets: { receive_buffer: 8MiB, send_buffer: 1MiB }${PLAIN}` },
		[
			`advice buffers.receive | sockets.receive_buffer is 8 MiB, and net.core.rmem_max 4 MiB | sysctl -w net.core.rmem_max=8388608 | ${SYSCTLS} net.core.rmem_max = 8388608`,
		],
	],
	[
		"windows that keep long ways slow",
		{ settings: { "net.ipv4.tcp_rmem": "4096 131072 262144" } },
		[
			`advice buffers.tcp-rmem | net.ipv4.tcp_rmem begins at 128 KiB and grows to 256 KiB: over 100 ms at most 21 Mbit/s | sysctl -w net.ipv4.tcp_rmem="4096 131072 4194304" | ${SYSCTLS} net.ipv4.tcp_rmem = 4096 131072 4194304`,
		],
	],
	[
		"a firewall's table that is too small, and one that forgets datagrams",
		{
			connections: 20_000,
			yaml: UDP,
			settings: {
				"net.netfilter.nf_conntrack_max": "32768",
				"net.netfilter.nf_conntrack_count": "1000",
				"net.netfilter.nf_conntrack_tcp_timeout_established": "432000",
				"net.netfilter.nf_conntrack_udp_timeout_stream": "60",
			},
		},
		[
			`fails conntrack.table | nf_conntrack is loaded: 1,000 of 32,768 entries are in use, and 20,000 sessions need 40,000 more | sysctl -w net.netfilter.nf_conntrack_max=66000 | ${SYSCTLS} net.netfilter.nf_conntrack_max = 66000`,
			`advice conntrack.udp | net.netfilter.nf_conntrack_udp_timeout_stream is 60 s, and sessions of datagrams stay for up to 2m of silence | sysctl -w net.netfilter.nf_conntrack_udp_timeout_stream=120 | ${SYSCTLS} net.netfilter.nf_conntrack_udp_timeout_stream = 120`,
		],
	],
	[
		"IPv6 that is not there",
		{
			facts: { ipv6: "none" },
			settings: { "net.ipv6.conf.all.disable_ipv6": "1" },
			yaml: `
listeners: [{ listen: "[::]:443", routes: [{ to: a }] }]
upstreams: { a: 10.0.0.1:443 }
`,
		},
		[
			`fails system.ipv6 | there is no IPv6, and [::]:443 cannot be opened | sysctl -w net.ipv6.conf.all.disable_ipv6=0 | ${SYSCTLS} net.ipv6.conf.all.disable_ipv6 = 0`,
		],
	],
	[
		"where no system calls can be made",
		{ facts: { noSystemCalls: "koffi is missing" } },
		["fails system.calls | koffi is missing | npm install --include=optional | -"],
	],
	[
		"deadlines that never come, and connections that servers end first",
		{
			yaml: `
timeouts: { idle: 3h, lifetime: 2h }
listeners: [{ listen: "0.0.0.0:80", routes: [{ host: a.test, to: a }, { protocol: ssh, to: b }] }]
upstreams: { a: { http: "http://10.0.0.1:80", pool: { idle: 90s } }, b: 10.0.0.1:22 }
`,
		},
		[
			"advice config.warning | <config>:2:19: idle (3h) never comes: lifetime (2h, line 2) ends the session before; shorten idle, or lengthen lifetime | - | -",
			"advice deadlines.pool.a | a: idle connections are kept for 90s, and most servers end them after 60 to 75 s | - | sluice.yaml: upstreams: { a: { pool: { idle: 50s } } }",
		],
	],
	[
		"certificates that have expired, and that are about to",
		{
			facts: {
				certificates: {
					problems: ["/c/d.pem: no such file"],
					warnings: ["t.yaml:1:1: /c/a.pem: has expired", "t.yaml:2:1: /c/b.pem: is for other names"],
					expiries: [
						{ file: "/c/a.pem", expiresMs: Date.UTC(2026, 10, 29) },
						{ file: "/c/b.pem", expiresMs: Date.UTC(2026, 11, 10) },
						{ file: "/c/c.pem", expiresMs: Date.UTC(2027, 1, 10) },
					],
				},
			},
		},
		[
			"fails certificates.unusable | /c/d.pem: no such file | - | -",
			"fails certificates./c/a.pem | /c/a.pem has expired on 2026-11-29 | openssl x509 -in /c/a.pem -noout -enddate -issuer | /c/a.pem: a renewed chain; it is taken up within tls.reload, without a restart",
			"advice certificates./c/b.pem | /c/b.pem expires on 2026-12-10, in 10 days | openssl x509 -in /c/b.pem -noout -enddate -issuer | /c/b.pem: a renewed chain; it is taken up within tls.reload, without a restart",
			"advice certificates.warning | t.yaml:2:1: /c/b.pem: is for other names | - | -",
		],
	],
	[
		"names that do not resolve, or slowly",
		{
			yaml: `
listeners: [{ listen: "0.0.0.0:443", routes: [{ sni: a.test, to: a }, { to: b }] }]
upstreams: { a: { addresses: ["gone.test:1", 10.0.0.1:443] }, b: "lost.test:1" }
`,
			facts: {
				names: [
					{ host: "gone.test", upstreams: ["a"], tookMs: 5, addresses: [], error: "ENOTFOUND" },
					{ host: "lost.test", upstreams: ["b"], tookMs: 3_000, addresses: [], error: "ETIMEOUT" },
					{ host: "slow.test", upstreams: ["a"], tookMs: 1_500, addresses: ["10.0.0.3"], error: null },
				],
			},
		},
		[
			"advice names.gone.test | gone.test (a) cannot be resolved: ENOTFOUND, after 5 ms | getent ahosts gone.test | /etc/resolv.conf: nameserver …",
			"fails names.lost.test | lost.test (b) cannot be resolved: ETIMEOUT, after 3,000 ms | getent ahosts lost.test | /etc/resolv.conf: nameserver …",
			"advice names.slow.test | slow.test (a): 10.0.0.3, in 1,500 ms | getent ahosts slow.test | /etc/resolv.conf: options timeout:1 attempts:2",
		],
	],
];

for (const [sentence, given, expected] of CASES)
	test(sentence, () => {
		assert.deepEqual(toDo(given), expected);
		const isFatal = expected.some((line) => line.startsWith("fails"));
		assert.equal(statusOf(examine(askedOf(given))), isFatal ? 2 : expected.length > 0 ? 1 : 0);
	});

test("what cannot be read is said, with the reason, and is no reason for advice", () => {
	const name = "net.ipv4.tcp_mem";
	const given: Case = { settings: { [name]: null }, facts: { unread: { [name]: "EACCES" } } };
	assert.equal(one(given, "memory.tcp").found, `${name} cannot be read: EACCES`);
	assert.deepEqual(toDo(given), []);
	const found = one({ settings: { "fs.nr_open": null } }, "descriptors.nr-open");
	assert.equal(found.level, "unknown");
	assert.equal(found.found, "fs.nr_open cannot be read: this kernel, or this network namespace, has none");
});

test("a machine of which nothing can be read has advice for nobody", () => {
	const facts = {
		settings: {},
		limits: {},
		tcpBytes: null,
		udpBytes: null,
		timeWait: null,
		tcpSockets: null,
	};
	const { config, ...rest } = askedOf({});
	const areas = examine({ ...rest, config, facts: { ...rest.facts, ...facts } });
	assert.equal(statusOf(areas), 0);
	assert.ok(areas.flatMap(({ findings }) => findings).filter(({ level }) => level === "unknown").length > 8);
});

test("keepalive of the kernel is said to mean nothing, and so is the other half-open setting", () => {
	assert.equal(
		one({}, "keepalive.own").found,
		"the kernel's (7200 s, 75 s × 9) do not matter: each connection has the gateway's, 30 s, then 10 s × 6",
	);
	assert.equal(one({}, "accept.syn-backlog").found, "net.ipv4.tcp_max_syn_backlog is 1,024: not asked here");
});

test("ids are unique in a report, so that programs may go by them", () => {
	for (const [, given] of CASES) {
		const ids = findingsOf(given)
			.map(({ id }) => id)
			.filter((id) => !id.endsWith(".warning"));
		assert.deepEqual(ids, [...new Set(ids)]);
	}
});
