import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { openListeners } from "../../src/gateway/listeners.js";
import { withTunnels } from "../../src/gateway/tunnels/expand.js";
import { IP_MTU_DISCOVER, IPPROTO_IP, PMTUDISC_PROBE } from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { closeDescriptor } from "../../src/kernel/sockets.js";

/** Whether the kernel leaves it to the ends of a listener with this route how long datagrams may be. */
function probesPath(route: string): boolean {
	const written = loadConfigText(`
listeners:
  - { listen: "127.0.0.1:0/udp", routes: [${route}] }
upstreams: { site: { udp: 127.0.0.1:4433 } }
tunnels:
  listen: 127.0.0.1:4443
  insecure: true
  domain: example.com
  agents: [{ id: laptop, public_key: kDHCDoIsa0cXLjlRXO5jr7uPu913jCo34lbFr3lDrUk, names: [app] }]
`);
	const [listener] = withTunnels(written, []).listeners;
	assert.ok(listener !== undefined);
	const open = openListeners({ ...written, listeners: [listener] }, new Map(), 1, null);
	const [fd] = [...open.values()].flatMap(({ fds }) => fds);
	assert.ok(fd !== undefined);
	const words = new Int32Array([0, 4]);
	const at = libc.addressOf(words);
	assert.equal(libc.getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, at, at + 4), 0);
	closeDescriptor(fd);
	return words[0] === PMTUDISC_PROBE;
}

test("no datagram is cut into fragments where clients of QUIC may come", () => {
	for (const route of [
		"{ sni: www.example.com, to: site }",
		"{ alpn: h3, to: site }",
		"{ protocol: quic, to: site }",
	])
		assert.ok(probesPath(route), route);
});

test("nor where they may come for tunnels, although none is open when the listener is", () => {
	assert.ok(probesPath("{ to: tunnels }"));
});

test("long datagrams of others are", () => {
	assert.ok(!probesPath("{ to: site }"));
});
