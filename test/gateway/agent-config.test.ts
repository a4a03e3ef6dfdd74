/** What an agent's reactors run with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { agentConfig, localAddresses } from "../../src/gateway/agent/config.js";
import { newToken, readToken } from "../../src/tunnel/keys.js";
import { tunnelTo } from "../support/tunnel-agent.js";

function addressesFor(local: string, localhost: readonly string[]): readonly unknown[] {
	const settings = {
		...{
			gateway: { host: "gw.example.com", port: 4443 },
			identity: readToken(newToken("laptop")),
			proxy: undefined,
		},
		...{ trust: {}, insecure: false, tunnels: [tunnelTo("tcp", local)], drainMs: 1, retryMaxMs: 1 },
	};
	const [upstream] = agentConfig(settings, localhost).upstreams;
	return (upstream?.addresses ?? []).map((each) =>
		each.kind === "ip"
			? [each.address, each.port, each.backup]
			: each.kind === "unix"
				? each.path
				: each.host,
	);
}

test("of what localhost is, all visitors come to the first address, as long as it accepts them", () => {
	assert.deepEqual(addressesFor("3000", ["::1", "127.0.0.1"]), [
		["::1", 3000, false],
		["127.0.0.1", 3000, true],
	]);
});

test("an address, another name and a path are themselves", () => {
	assert.deepEqual(addressesFor("10.0.0.7:22", ["::1"]), [["10.0.0.7", 22, false]]);
	assert.deepEqual(addressesFor("nas.example:22", ["::1"]), ["nas.example"]);
	assert.deepEqual(addressesFor("unix:/run/app.sock", ["::1"]), ["/run/app.sock"]);
});

test("localhost is found, whatever the system knows", async () => {
	const found = await localAddresses();
	assert.ok(
		found.some((address) => address === "127.0.0.1" || address === "::1"),
		found.join(),
	);
});
