import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { tunnelAddresses } from "../../src/gateway/tunnel-addresses.js";

const CERTIFICATE = 'tls: [{ names: ["*.example.com"], cert: a.pem, key: a.key }]';

const addresses = (listeners: string, kind: "http" | "tls", host = "app.example.com"): readonly string[] => {
	const { listeners: all } = loadConfigText(
		[
			`listeners: [${listeners}]`,
			"upstreams: { web: 127.0.0.1:1 }",
			"tunnels: { listen: 127.0.0.1:4443, insecure: true, domain: example.com, agents: [] }",
		].join("\n"),
	);
	return tunnelAddresses(all, ({ port }) => port)(kind, host);
};

test("visitors are told where routes lead to tunnels, by TLS where that is", () => {
	const secure = `{ listen: ":443", ${CERTIFICATE}, routes: [{ host: "*.example.com", to: tunnels }] }`;
	const passing = '{ listen: ":8443", routes: [{ sni: "*.example.com", to: tunnels }] }';
	const open = '{ listen: ":80", routes: [{ host: app.example.com, to: tunnels }, { to: web }] }';
	const other = '{ listen: ":9000", routes: [{ to: web }] }';
	for (const [listeners, kind, expected] of [
		[[secure], "http", ["https://app.example.com"]],
		[[secure.replace(":443", ":4433")], "http", ["https://app.example.com:4433"]],
		[[secure], "tls", []],
		[[passing], "tls", ["app.example.com:8443"]],
		[[passing], "http", []],
		[[open], "http", ["http://app.example.com"]],
		[[open.replace(":80", ":8080")], "http", ["http://app.example.com:8080"]],
		[[open], "tls", []],
		[[secure, open, passing, other], "http", ["https://app.example.com"]],
		[[secure, open, passing, other], "tls", ["app.example.com:8443"]],
		[['{ listen: ":7000", routes: [{ to: tunnels }] }'], "http", ["http://app.example.com:7000"]],
		[['{ listen: ":7000", routes: [{ to: tunnels }] }'], "tls", ["app.example.com:7000"]],
		[['{ listen: ":7000", routes: [{ protocol: tls, to: tunnels }] }'], "http", []],
		[[other], "http", []],
	] as const)
		assert.deepEqual(addresses(listeners.join(", "), kind), expected, `${listeners} ${kind}`);
	assert.deepEqual(addresses(open, "http", "other.example.com"), []);
	assert.deepEqual(addresses(passing, "tls", "a.b.example.com"), ["a.b.example.com:8443"]);
	assert.deepEqual(addresses(secure, "http", "shop.example.org"), []);
});
