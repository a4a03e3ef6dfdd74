import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/config/errors.js";
import { loadConfigText } from "../../src/config/load.js";
import { AGENT_ID_PATTERN } from "../../src/config/tunnel-values.js";
import { isAgentId } from "../../src/protocol/tunnel/index.js";

const KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const OTHER = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const AGENT = `{ id: a, public_key: ${KEY}, names: [app] }`;

/** A good file whose tunnels are line 5: `keys` stand behind `listen` and `tls`. */
const tunnels = (
	keys = "",
	agents = AGENT,
	head = "listen: 0.0.0.0:4443, tls: { cert: a.pem, key: a.key }",
): string =>
	[
		"listeners:",
		"  - listen: 127.0.0.1:443",
		'    routes: [{ host: "*.example.com", to: tunnels }]',
		"upstreams: {}",
		`tunnels: { ${head}${keys}, agents: [${agents}] }`,
	].join("\n");

/** Every problem of the text, and its warnings where there is none. */
function told(text: string): readonly string[] {
	try {
		return loadConfigText(text).warnings.map(({ line, message }) => `${line}: ${message}`);
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		return error.problems.map(({ line, message }) => `${line}: ${message}`);
	}
}

/** Said once, and nothing else. */
function says(text: string, line: number, part: string): void {
	const all = told(text);
	assert.equal(all.length, 1, `${text}\n---\n${all.join("\n")}`);
	assert.ok(all[0]?.startsWith(`${line}: `) && all[0].includes(part), `wanted …${part}…\nfound  ${all[0]}`);
}

test("a section of tunnels has its defaults filled in", () => {
	const text = tunnels(
		", domain: Example.com, ports: 20000-20099",
		`{ id: laptop, public_keys: [${KEY}, ${OTHER}=], names: [App, "dev-*"], domains: [shop.example.org], ports: 20000-20009, shared: on, connections: 5, bytes_per_second: 1MiB }`,
	);
	assert.deepEqual(told(text), []);
	const { tls, timeouts, deadlines, datagramDeadlines, ...rest } =
		loadConfigText(text, { baseDir: "/etc" }).tunnels ?? assert.fail();
	assert.deepEqual(timeouts, { idleMs: 3_600_000, responseHeadMs: 900_000 });
	assert.deepEqual(
		[deadlines.timeouts.idleMs, deadlines.timeouts.responseHeadMs, deadlines.timeouts.connectMs],
		[3_600_000, 900_000, 5_000],
	);
	const { timeouts: ofDatagrams, quicIdleMs } = datagramDeadlines;
	assert.deepEqual([ofDatagrams.idleMs, quicIdleMs, ofDatagrams.connectMs], [30_000, 120_000, 5_000]);
	assert.deepEqual(tls, { certFile: "/etc/a.pem", keyFile: "/etc/a.key" });
	assert.deepEqual(rest, {
		...{ name: "0.0.0.0:4443", host: "0.0.0.0", port: 4443 },
		...{ domain: "example.com", ports: { from: 20_000, to: 20_099 } },
		...{
			lines: 8,
			linesMax: 64,
			linesReserved: 1,
			ageMs: 900_000,
			requests: 100,
			heartbeatMs: 15_000,
			deadAfterMs: 45_000,
			canaryMs: 15_000,
		},
		...{ plainLines: true, superseded: "finish" },
		agents: [
			{
				...{ id: "laptop", publicKeys: [KEY, OTHER], names: ["app", "dev-*"], domains: ["shop.example.org"] },
				...{
					ports: { from: 20_000, to: 20_009 },
					shared: true,
					connections: 5,
					bytesPerSecond: 1_048_576,
					basicAuth: null,
				},
			},
		],
	});
	assert.equal(loadConfigText("listeners: [{ listen: ':1', routes: [{ to: reject }] }]").tunnels, null);
});

test("visitors of tunnels have time-outs of their own", () => {
	/** Of requests that take the route, and of who comes to a port of an agent's. */
	const held = (general: string, listener = "", own = "", route = ""): readonly (readonly number[])[] => {
		const text = tunnels(own)
			.replace("listen: 127.0.0.1:443", `listen: 127.0.0.1:443${listener}`)
			.replace("to: tunnels", `to: tunnels${route}`);
		const config = loadConfigText(`${text}\n${general}`);
		const [route0] = config.listeners[0]?.routes ?? [];
		return [route0?.deadlines, config.tunnels?.deadlines].map((deadlines) => {
			const { idleMs = 0, responseHeadMs = 0 } = deadlines?.timeouts ?? {};
			return [idleMs / 1_000, responseHeadMs / 1_000];
		});
	};
	const usual = [3_600, 900];
	assert.deepEqual(held(""), [usual, usual]);
	// What the file says more generally goes before the defaults, and nothing else does.
	assert.deepEqual(held("timeouts: { idle: 2m }"), [
		[120, 900],
		[120, 900],
	]);
	assert.deepEqual(held("", "\n    timeouts: { response_head: 20s }"), [[3_600, 20], usual]);
	assert.deepEqual(held("timeouts: { idle: 2m, response_head: 3m }", "", ", timeouts: { idle: 3h }"), [
		[10_800, 180],
		[10_800, 180],
	]);
	assert.deepEqual(held("", "", ", timeouts: { idle: 3h }", ", timeouts: { idle: 4h }"), [
		[14_400, 900],
		[10_800, 900],
	]);
	says(`${tunnels(", timeouts: { idle: 3s, stall: 1h }")}\nkeepalive: { user_timeout: 2m }`, 5, "stall");
	says(tunnels(", timeouts: { handshake: 3s }"), 5, "handshake");
});

test("sessions of datagrams in tunnels are idle for as long as `tunnels.timeouts` says, and else as on UDP", () => {
	const held = (own: string, listener = "", route = ""): readonly unknown[] => {
		const text = tunnels(own)
			.replace("listen: 127.0.0.1:443", `listen: 127.0.0.1:443/udp${listener}`)
			.replace("to: tunnels", `to: tunnels${route}`)
			.replace("host:", "sni:");
		const config = loadConfigText(`${text}\ntimeouts: { idle: 1h }`);
		const [own0] = config.listeners;
		return [own0?.routes[0]?.deadlines ?? own0?.deadlines, config.tunnels?.datagramDeadlines].map(
			(deadlines) => {
				const { idleMs = 0 } = deadlines?.timeouts ?? {};
				return [idleMs / 1_000, (deadlines?.quicIdleMs ?? idleMs) / 1_000];
			},
		);
	};
	const usual = [30, 120];
	assert.deepEqual(held(""), [usual, usual]);
	assert.deepEqual(held(", timeouts: { idle: 10s }"), [
		[10, 10],
		[10, 10],
	]);
	assert.deepEqual(held("", "\n    timeouts: { idle: 5s }"), [[5, 5], usual]);
	assert.deepEqual(held("", "", ", timeouts: { idle: 4m }"), [[240, 240], usual]);
});

test("tunnels of tcp, which have ports of their own, need no listener", () => {
	const alone = `tunnels: { listen: 127.0.0.1:4443, insecure: true, ports: 20000-20009, agents: [${AGENT}] }`;
	for (const text of [alone, `${alone}\nlisteners: []`]) assert.deepEqual(told(text), []);
});

test("a route to tunnels needs agents, and no upstream takes their name", () => {
	says("listeners: [{ listen: ':1', routes: [{ to: tunnels }] }]", 1, "needs a section for the agents");
	says(
		"listeners: [{ listen: ':1', routes: [{ to: reject }] }]\nupstreams: { tunnels: 10.0.0.1:1 }",
		2,
		'give the upstream another name, such as "tunnel-server"',
	);
	const ssh = tunnels(", domain: example.com").replace(
		"to: tunnels }",
		"to: tunnels }, { protocol: ssh, to: tunnels }",
	);
	says(ssh, 3, "let the agent open a tcp tunnel");
});

test("TLS of any name may be led to tunnels, whatever the listener has certificates for", () => {
	const text = tunnels(", domain: example.com").replace('host: "*.example.com"', "sni: app.example.com");
	assert.deepEqual(told(text), []);
});

test("what does not go together in tunnels is told with its place", () => {
	const domain = ", domain: example.com";
	for (const [text, part] of [
		[
			tunnels(domain, AGENT, "listen: 0.0.0.0:4443"),
			"on 0.0.0.0:4443 agents would speak in the open: write tls",
		],
		[tunnels(domain, AGENT, "listen: 127.0.0.1:4443"), "or insecure: true for trying out"],
		[tunnels(domain, AGENT, "listen: 0.0.0.0:4443, insecure: true"), "in the open only on loopback"],
		[tunnels(`${domain}, insecure: true`), '"insecure" does nothing beside "tls"'],
		[tunnels(`${domain}, lines: 65`), "add lines_max: 65"],
		[tunnels(`${domain}, lines: 9, lines_max: 8`), "raise this, or lower lines"],
		[
			tunnels(`${domain}, lines: 1, lines_max: 4, lines_reserved: 4`),
			"lines_reserved (4) must be less than lines_max (4)",
		],
		[tunnels(`${domain}, heartbeat: 30s`), "at least twice the heartbeat"],
		[tunnels(`${domain}, dead_after: 20s`), "at least twice the heartbeat (15s)"],
		[tunnels(`${domain}, heartbeat: 10ms`), "expected at least 100ms"],
		[tunnels(`${domain}, ports: 20099-20000`), "write 20000-20099"],
		[tunnels(`${domain}, ports: all`), "expected ports from 1 to 65535"],
		[tunnels(`${domain}, ports: 4000-5000`), "port 4443 of these is taken by agents on line 5"],
		[tunnels(`${domain}, superseded: close`), "write cut"],
		[tunnels(domain, `${AGENT}, ${AGENT}`), 'there is an agent "a" on line 5 already'],
		[tunnels(domain, "{ id: a, names: [app] }"), "sluice token new makes one"],
		[
			tunnels(domain, `{ id: a, names: [app], public_key: ${KEY}, public_keys: [${KEY}] }`),
			"one or the other",
		],
		[
			tunnels(domain, `{ id: a, names: [app], public_keys: [${KEY}, ${KEY}, ${KEY}] }`),
			"two keys are enough",
		],
		[tunnels(domain, "{ id: a, names: [app], public_key: abc }"), "32 bytes in base64"],
		[tunnels(domain, `{ id: a, public_key: ${KEY} }`), "it may open nothing"],
		[tunnels(domain, `{ id: a, public_key: ${KEY}, names: ["*app"] }`), "a star stands once, at the end"],
		[tunnels(domain, `{ id: a, public_key: ${KEY}, names: [a.b] }`), "a name is one label"],
		[tunnels(domain, `{ id: a, public_key: ${KEY}, names: [app], domains: ["*"] }`), "the whole first label"],
		[tunnels(domain, `{ id: a, public_key: ${KEY}, names: [app], ports: 5-6 }`), "add ports: 5-6 there"],
		[
			tunnels(`${domain}, ports: 5-6`, `{ id: a, public_key: ${KEY}, names: [app], ports: 6-7 }`),
			"not all within",
		],
		[
			tunnels(
				`${domain}, ports: 5-9`,
				`{ id: a, public_key: ${KEY}, names: [app], ports: 5-6 }, { id: b, public_key: ${KEY}, names: [b], ports: 6 }`,
			),
			"ports of two agents overlap",
		],
		[tunnels(", domian: example.com"), 'unknown key "domian"; did you mean "domain"?'],
	] as const)
		says(text, 5, part);
	says(tunnels(domain).replace("0.0.0.0:4443", "127.0.0.1:443"), 2, "already taken by tunnels.listen");
});

test("an agent's id is what the wire takes", () => {
	for (const id of ["a", "A.b-c_9", "a".repeat(64), "a".repeat(65), "", "-a", ".a", "_a", "a b", "ä"])
		assert.equal(AGENT_ID_PATTERN.test(id), isAgentId(id), id);
	says(tunnels(", domain: example.com", AGENT.replace("id: a", "id: a b")), 5, "up to 64 letters");
});

test("tunnels that lead nowhere are warned about", () => {
	says(tunnels(), 5, "no name can be opened");
	says(tunnels(", domain: example.com", ""), 5, "nobody can log in");
	says(tunnels(", domain: example.com").replace("to: tunnels", "to: reject"), 5, "no route leads to tunnels");
	const tcp = tunnels(", domain: example.com, ports: 20000").replace("to: tunnels", "to: reject");
	assert.deepEqual(told(tcp), []);
});
