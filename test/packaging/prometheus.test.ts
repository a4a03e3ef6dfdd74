/** The rules of packaging/prometheus, run by Prometheus' own promtool: each alert is silent where all is well, and fires where it is not. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

const RULES = fileURLToPath(new URL("../../../packaging/prometheus/rules.yaml", import.meta.url));

interface Rule {
	readonly alert?: string;
	readonly expr: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
}

const { groups } = parse(readFileSync(RULES, "utf8")) as { groups: { rules: Rule[] }[] };
const alerts = new Map(
	groups
		.flatMap(({ rules }) => rules)
		.flatMap((rule) => (rule.alert === undefined ? [] : [[rule.alert, rule] as const])),
);

/** Of a process that runs. */
const TARGET = 'job="sluice", instance="a"';
const THERE = { [`sluice_build_info{${TARGET}}`]: "1x1000" };

/** As promtool writes series, a value each minute: `0x10` stays, `0+5x10` grows. Silent at `quiet` minutes, and firing at `fires`. */
interface Case {
	readonly series: Readonly<Record<string, string>>;
	readonly quiet: number;
	readonly fires: number;
	/** What it fires for, beyond the target. `null`: not even that. */
	readonly labels?: Readonly<Record<string, string>> | null;
}

const of = (name: string, labels = ""): string => `${name}{${TARGET}${labels === "" ? "" : `, ${labels}`}}`;

/** A figure that is as it should be for an hour. */
const turns = (name: string, well: number, bad: number, labels = ""): Record<string, string> => ({
	[of(name, labels)]: `${well}x59 ${bad}x60`,
});

/** A counter that stands still for an hour, and then grows by so much each minute. */
const counts = (name: string, each: number, labels = ""): Record<string, string> => ({
	[of(name, labels)]: `7x59 7+${each}x60`,
});

const listener = (name: string, labels: string): string => of(name, `listener=":443"${labels}`);

/** Observations of a histogram, so many a minute: of them `late` beyond the limit of the alert, from an hour on. */
const late = (name: string, what: string, limit: string): Record<string, string> => ({
	[of(`${name}_bucket`, `${what}, le="${limit}"`)]: "0+10x59 600x60",
	[of(`${name}_bucket`, `${what}, le="10"`)]: "0+10x120",
	[of(`${name}_bucket`, `${what}, le="+Inf"`)]: "0+10x120",
});

const CASES: Readonly<Record<string, Case>> = {
	SluiceGone: { series: { [of("sluice_build_info")]: "1x59 stale" }, quiet: 59, fires: 64, labels: null },
	SluiceDescriptorsNearLimit: {
		series: { ...THERE, ...turns("process_open_fds", 890, 910), ...turns("process_max_fds", 1000, 1000) },
		quiet: 62,
		fires: 66,
	},
	SluiceDescriptorsGrow: {
		// Sessions come and go; what stays are twenty descriptors an hour.
		series: {
			...THERE,
			[of("process_open_fds")]: "1000x400 1000+0.33x700",
			[listener("sluice_connections_active", "")]: "400x1200",
		},
		quiet: 600,
		fires: 860,
	},
	SluiceMemoryGrows: {
		series: {
			...THERE,
			[of("process_resident_memory_bytes")]: "100000000x400 100000000+200000x700",
			[listener("sluice_connections_active", "")]: "400x1200",
		},
		quiet: 600,
		fires: 870,
	},
	SluiceLeak: { series: turns("sluice_ledger_discrepancy", 0, 1), quiet: 59, fires: 60 },
	SluiceLedgerSilent: {
		series: { [of("sluice_ledger_checks_total")]: "0+6x60 360x60" },
		quiet: 60,
		fires: 75,
	},
	SluiceInternalFault: {
		series: { [listener("sluice_sessions_closed_total", ', reason="internal"')]: "0x59 1x60" },
		quiet: 59,
		fires: 61,
		labels: { reason: "internal" },
	},
	SluiceReloadFailed: { series: turns("sluice_reload_success", 1, 0), quiet: 59, fires: 60 },
	SluiceCertificateExpires: {
		// In promtool's time the test begins in 1970.
		series: turns("sluice_certificate_expiry_seconds", 22 * 86_400, 20 * 86_400, 'file="/etc/a.pem"'),
		quiet: 59,
		fires: 60,
		labels: { file: "/etc/a.pem" },
	},
	SluiceLogLinesDropped: { series: counts("sluice_log_lines_dropped_total", 1), quiet: 59, fires: 62 },
	SluiceMemoryPressure: { series: turns("sluice_memory_pressure", 0, 1), quiet: 59, fires: 62 },
	SluiceSheds: { series: counts("sluice_shed_total", 1), quiet: 59, fires: 62 },
	SluiceAcceptOverflow: { series: counts("sluice_kernel_listen_overflows_total", 1), quiet: 59, fires: 62 },
	SluiceHandshakesDropped: {
		series: {
			...counts("sluice_kernel_listen_drops_total", 2),
			...counts("sluice_kernel_listen_overflows_total", 1),
		},
		quiet: 59,
		fires: 62,
	},
	SluiceSynFlood: {
		// For an hour bursts of real clients, of which more overflow.
		series: {
			[of("sluice_kernel_syncookies_sent_total")]: "0+1200x120",
			[of("sluice_kernel_listen_overflows_total")]: "0+1300x59 77000x60",
		},
		quiet: 59,
		fires: 68,
	},
	SluiceHalfOpenFull: {
		series: {
			[listener("sluice_kernel_syn_received", "")]: "150x59 170x60",
			[listener("sluice_accept_queue_limit", "")]: "200x120",
		},
		quiet: 60,
		fires: 62,
		labels: { listener: ":443" },
	},
	SluiceConnectionsAtLimit: {
		series: {
			[listener("sluice_connections_active", "")]: "90x59 96x60",
			[of("sluice_connections_limit")]: "100x120",
		},
		quiet: 60,
		fires: 62,
	},
	SluiceAcceptQueueFull: {
		series: {
			[listener("sluice_accept_queue_depth", "")]: "70x59 90x60",
			[listener("sluice_accept_queue_limit", "")]: "100x120",
		},
		quiet: 60,
		fires: 62,
		labels: { listener: ":443" },
	},
	SluiceAcceptsLate: {
		series: late("sluice_accept_wait_seconds", 'listener=":443"', "0.25"),
		quiet: 59,
		fires: 64,
		labels: { listener: ":443", instance: "" },
	},
	SluiceHandshakeTimeouts: {
		series: {
			[listener("sluice_sessions_closed_total", ', reason="handshake_timeout"')]: "0+60x59 3600+1200x60",
		},
		quiet: 59,
		fires: 72,
		labels: { reason: "handshake_timeout" },
	},
	SluiceStalledReaders: {
		series: {
			[listener("sluice_sessions_closed_total", ', reason="stall_timeout"')]: "0+1x59 60+10x60",
			[listener("sluice_sessions_closed_total", ', reason="client_closed"')]: "0+100x120",
		},
		quiet: 59,
		fires: 76,
	},
	SluiceUpstreamDown: {
		series: {
			...turns("sluice_upstream_healthy", 0, 0, 'upstream="a", address="10.0.0.5:443"'),
			...turns("sluice_upstream_healthy", 1, 0, 'upstream="a", address="10.0.0.6:443"'),
		},
		quiet: 60,
		fires: 62,
		labels: { upstream: "a" },
	},
	SluiceUpstreamFailing: {
		series: {
			[of("sluice_upstream_requests_total", 'upstream="a", status="2xx"')]: "0+100x120",
			[of("sluice_upstream_requests_total", 'upstream="a", status="5xx"')]: "0+1x59 60+50x60",
		},
		quiet: 59,
		fires: 68,
		labels: { upstream: "a" },
	},
	SluiceUpstreamSlow: {
		series: late("sluice_upstream_seconds", 'upstream="a"', "5"),
		quiet: 59,
		fires: 68,
		labels: { upstream: "a", instance: "" },
	},
	SluicePoolNotReturned: {
		series: {
			...turns("sluice_pool_active", 5, 6),
			[listener("sluice_connections_active", "")]: "5x120",
		},
		quiet: 63,
		fires: 66,
	},
	SluiceDatagramsOverrun: { series: counts("sluice_datagrams_overrun_total", 1), quiet: 59, fires: 62 },
	SluiceHalfHellosDisplaced: {
		series: counts("sluice_half_hellos_displaced_total", 1_200),
		quiet: 60,
		fires: 70,
	},
	SluiceDatagramsHaveNoUpstream: {
		series: {
			...counts("sluice_datagrams_dropped_total", 0, 'cause="no_route"'),
			...counts("sluice_datagrams_dropped_total", 5, 'cause="upstream_down"'),
		},
		quiet: 60,
		fires: 66,
	},
	SluiceCanaryDown: {
		series: turns("sluice_tunnel_up", 1, 0, 'tunnel="app", agent="laptop"'),
		quiet: 61,
		fires: 63,
		labels: { tunnel: "app", agent: "laptop" },
	},
	SluiceTunnelHasNoService: {
		series: turns("sluice_tunnel_local_up", 1, 0, 'tunnel="app", agent="laptop"'),
		quiet: 61,
		fires: 63,
		labels: { tunnel: "app", agent: "laptop" },
	},
	SluiceNoLines: {
		series: {
			...turns("sluice_tunnels", 2, 2, 'state="up"'),
			...turns("sluice_tunnel_lines", 3, 0, 'state="parked"'),
			...turns("sluice_tunnel_lines", 1, 0, 'state="used"'),
			...turns("sluice_tunnel_lines", 0, 4, 'state="asked"'),
		},
		quiet: 61,
		fires: 63,
	},
	SluiceAgentsReconnect: {
		// Of fifty agents one comes back every ten minutes; from an hour on one each minute.
		series: {
			...turns("sluice_tunnel_agents", 50, 50),
			[of("sluice_tunnel_reconnects_total")]: "0+0.1x59 6+1x120",
		},
		quiet: 59,
		fires: 110,
	},
	SluiceHubMisses: {
		series: {
			[of("sluice_hub_delivered_total", 'match="*"')]: "0+1000x120",
			[of("sluice_hub_missed_total", 'match="*"')]: "0+1x59 60+100x60",
		},
		quiet: 59,
		fires: 70,
	},
	SluiceHubOverflows: {
		series: counts("sluice_hub_overflowed_total", 120, 'match="*"'),
		quiet: 60,
		fires: 72,
	},
};

test("there is a case for each alert, and each says how grave it is and what it means", () => {
	assert.deepEqual(Object.keys(CASES).sort(), [...alerts.keys()].sort());
	for (const [name, { labels, annotations }] of alerts) {
		assert.match(labels?.["severity"] ?? "", /^(critical|warning)$/, name);
		assert.match(annotations?.["summary"] ?? "", /^[A-Z].*\.$/, name);
	}
});

/** One of promtool's tests. */
function promtoolTest(name: string, { series, quiet, fires, labels = {} }: Case): unknown {
	const rule = alerts.get(name);
	const target = labels === null ? {} : { job: "sluice", instance: "a", ...labels };
	// An empty label is none.
	const present = Object.fromEntries(
		Object.entries({ ...target, ...rule?.labels }).filter(([, text]) => text !== ""),
	);
	return {
		name,
		interval: "1m",
		input_series: Object.entries(series).map(([metric, values]) => ({ series: metric, values })),
		alert_rule_test: [
			{ eval_time: `${quiet}m`, alertname: name, exp_alerts: [] },
			{
				eval_time: `${fires}m`,
				alertname: name,
				exp_alerts: [{ exp_labels: present, exp_annotations: rule?.annotations }],
			},
		],
	};
}

/** Minutes between two looks at the rules, in tests of hours. */
const SELDOM = 5;

scenario(
	"each alert is silent where all is well, and fires where it is not",
	async (scenario) => {
		const all = Object.entries(CASES);
		const isLong = ([, { fires }]: (typeof all)[number]): boolean => fires > 120;
		const files = [
			{ minutes: 1, cases: all.filter((each) => !isLong(each)) },
			{ minutes: SELDOM, cases: all.filter(isLong) },
		];
		for (const { minutes, cases } of files) {
			const file = join(scenario.directory, "tests.yaml");
			const tests = cases.map(([name, each]) => promtoolTest(name, each));
			// JSON is YAML.
			const text = { rule_files: [RULES], evaluation_interval: `${minutes}m`, tests };
			writeFileSync(file, JSON.stringify(text));
			const { status, output } = await run("promtool", ["test", "rules", file]);
			assert.equal(status, 0, output);
		}
	},
	{ needs: ["promtool"] },
);

scenario(
	"promtool takes the rules as they are",
	async () => {
		const { status, output } = await run("promtool", ["check", "rules", RULES]);
		assert.equal(status, 0, output);
	},
	{ needs: ["promtool"] },
);
