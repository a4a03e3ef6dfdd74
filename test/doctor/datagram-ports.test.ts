/** Local ports of sessions of datagrams: one range for all of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findingsOf, lineOf, one, PLAIN } from "./machine.js";

const UDP = `
listeners: [{ listen: "0.0.0.0:53/udp", routes: [{ to: dns }] }]
upstreams: { dns: { udp: ["10.0.0.2:53", "10.0.0.3:53"] } }
`;
const BOTH = `
listeners:
  - { listen: "0.0.0.0:53/udp", routes: [{ to: dns }] }
  - { listen: "0.0.0.0:443", routes: [{ to: a }] }
upstreams: { dns: { udp: "10.0.0.2:53" }, a: 10.0.0.1:443 }
`;
const SYSCTLS = "/etc/sysctl.d/90-sluice.conf:";

test("sessions of datagrams share one range, however many addresses there are", () => {
	assert.equal(
		lineOf(one({ yaml: UDP, connections: 28_232 }, "ports.datagrams")),
		"fine ports.datagrams | sessions of datagrams to dns share 28,232 local ports | - | -",
	);
	assert.equal(
		lineOf(one({ yaml: UDP, connections: 28_233 }, "ports.datagrams")),
		`fails ports.datagrams | sessions of datagrams to dns share 28,232 local ports, and 28,233 sessions are asked for | sysctl -w net.ipv4.ip_local_port_range="1024 65535" | ${SYSCTLS} net.ipv4.ip_local_port_range = 1024 65535`,
	);
	// With what is advised there is room.
	const wide = { "net.ipv4.ip_local_port_range": "1024 65535" };
	assert.equal(one({ yaml: UDP, connections: 28_233, settings: wide }, "ports.datagrams").level, "fine");
});

test("where sessions of TCP may be meant it is advice, and what cannot be wider has no command", () => {
	assert.equal(one({ yaml: BOTH, connections: 50_000 }, "ports.datagrams").level, "advice");
	const wide = { "net.ipv4.ip_local_port_range": "1024 65535" };
	const { level, now, keep, why } = one(
		{ yaml: UDP, connections: 70_000, settings: wide },
		"ports.datagrams",
	);
	assert.deepEqual([level, now, keep], ["fails", null, null]);
	assert.match(why, /cannot be wider/);
});

test("without datagrams nothing is said of them", () => {
	assert.ok(!findingsOf({ yaml: PLAIN, connections: 50_000 }).some(({ id }) => id === "ports.datagrams"));
});
