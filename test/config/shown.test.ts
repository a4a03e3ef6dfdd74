import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { shownConfig } from "../../src/config/shown.js";

const HASH = "pw1_YW4gZXhhbXBsZSBzYWx0IedZEa6JDQbHWAHa4ZYzKysfRxmL-6sn8bVe0DdCYazg";

interface Shown {
	readonly adminTokens: unknown;
	readonly listeners: readonly { readonly routes: readonly { readonly basicAuth?: unknown }[] }[];
	readonly upstreams: readonly { readonly addresses: readonly object[]; readonly health: object | null }[];
	readonly warnings: unknown;
}

const TEXT = `
admin_tokens: { full: 0123456789abcdef }
listeners:
  - { listen: 127.0.0.1:1, routes: [{ to: web, basic_auth: { alice: ${HASH} } }] }
  - { listen: 127.0.0.1:1/udp, routes: [{ to: dns }] }
upstreams:
  web: { http: "http://10.0.0.1" }
  dns: { udp: { address: 10.0.0.1:1, server_id: "0aFF" }, health: { send: "hex:0001" } }
  other: 10.0.0.2:1
`;

function shown(): Shown {
	return JSON.parse(JSON.stringify(shownConfig(loadConfigText(TEXT, { file: "/etc/sluice.yaml" })))) as Shown;
}

test("operators are shown no token and no hash, and that there is one", () => {
	const { adminTokens, listeners } = shown();
	assert.deepEqual(adminTokens, { full: "(set)", read: null });
	assert.deepEqual(listeners[0]?.routes[0]?.basicAuth, [[{ user: "alice", hash: "(set)" }]]);
	const text = JSON.stringify(shown());
	assert.ok(!text.includes(HASH.slice(4)) && !text.includes("0123456789abcdef"));
});

test("operators are shown bytes as hex digits", () => {
	const [, dns] = shown().upstreams;
	assert.deepEqual(dns?.addresses[0], {
		...{ kind: "ip", address: "10.0.0.1", family: 4, port: 1 },
		...{ weight: 1, backup: false, maxConnections: null, serverId: "0aff" },
	});
	assert.deepEqual(dns?.health, {
		...{ intervalMs: 5_000, timeoutMs: 2_000, fall: 3, rise: 2, http: null, datagram: "0001" },
	});
});

test("operators are shown warnings with their lines", () => {
	assert.deepEqual(shown().warnings, [
		{ line: 9, message: 'no route leads to "other": add one with "to: other", or remove the upstream' },
	]);
});
