import assert from "node:assert/strict";
import { test } from "node:test";
import { renderMetrics } from "../../src/admin/metrics.js";
import { tunnelsStatusOf } from "../../src/admin/tunnel-view.js";
import { tunnelsText } from "../../src/cli/operate/tunnels.js";
import { TUNNELS } from "./tunnels.js";
import { viewOf } from "./view.js";

const lines = (text: string): string[] => text.split("\n").filter((line) => line.startsWith("sluice_tunnel"));

test("metrics of tunnels add up lines by state, and have every state of tunnels", () => {
	assert.deepEqual(lines(renderMetrics(viewOf({ tunnels: () => TUNNELS }))), [
		"sluice_tunnel_agents 1",
		"sluice_tunnel_agents_logging_in 2",
		'sluice_tunnels{state="opening"} 0',
		'sluice_tunnels{state="up"} 1',
		'sluice_tunnels{state="down"} 0',
		'sluice_tunnels{state="closing"} 1',
		'sluice_tunnel_lines{state="asked"} 1',
		'sluice_tunnel_lines{state="proving"} 2',
		'sluice_tunnel_lines{state="parked"} 5',
		'sluice_tunnel_lines{state="used"} 4',
		'sluice_tunnel_lines{state="retiring"} 1',
		'sluice_tunnel_local_up{tunnel="app",agent="laptop"} 1',
		'sluice_tunnel_local_up{tunnel="ssh",agent="laptop"} 0',
		'sluice_tunnel_visitors_total{tunnel="app",reason="client_closed"} 9',
		'sluice_tunnel_lines_recycled_total{reason="done"} 9',
		'sluice_tunnel_lines_recycled_total{reason="age"} 1',
		"sluice_tunnel_logins_total 7",
		"sluice_tunnel_reconnects_total 6",
		'sluice_tunnel_refused_total{code="unauthorized"} 2',
		'sluice_tunnel_refused_total{code="name"} 1',
		"sluice_tunnel_strangers_total 0",
	]);
	assert.ok(lines(renderMetrics(viewOf())).every((line) => line.endsWith(" 0")));
});

test("sluice tunnels shows agents and what each has opened", () => {
	assert.equal(
		tunnelsText(tunnelsStatusOf(TUNNELS)),
		[
			"AGENT   ADDRESS    PROGRAM   SINCE                     RTT",
			"laptop  192.0.2.7  sluice/1  2023-11-14T22:13:20.000Z  12.3ms",
			"",
			"TUNNEL  KIND  AGENT   STATE                              PARKED  USED  FAILED  USERS  ADDRESSES",
			"app     http  laptop  up                                 5 of 8  3     4       alice  https://app.example.com",
			"ssh     tcp   laptop  closing: connect [2J ECONNREFUSED  0 of 8  1     0       all    -",
			"",
		].join("\n"),
	);
});
