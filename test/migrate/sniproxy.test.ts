/** docs/migrate/sniproxy.md: sniproxy by its configuration and Sluice by the one beside it send the same names to the same upstreams. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import {
	askBytes,
	askHttp,
	askTls,
	exampleOnLoopback,
	headerV1,
	namedProxied,
	namedTls,
	type Place,
	type Replacements,
} from "../support/migration.js";
import { LOOPBACK } from "../support/peers.js";
import { accepting, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

interface Gateways {
	readonly names: Place;
	readonly hosts: Place;
}

async function startUpstreams(scenario: Scenario): Promise<Replacements> {
	return {
		"10.0.0.5:443": await namedTls(scenario, "git"),
		"10.0.0.6:443": await namedTls(scenario, "apps"),
		"10.0.0.9:443": await namedTls(scenario, "fallback"),
		"10.0.0.13:8080": await namedProxied(scenario, "www", headerV1),
	};
}

async function ask(scenario: Scenario, { names, hosts }: Gateways): Promise<Record<string, string>> {
	return {
		git: await askTls(scenario, names, "git.example.com"),
		"an app": await askTls(scenario, names, "one.apps.example.com"),
		"an app further down": await askTls(scenario, names, "a.b.apps.example.com"),
		"the parent of apps": await askTls(scenario, names, "apps.example.com"),
		"a name of nobody": await askTls(scenario, names, "git-example.com"),
		www: await askBytes(scenario, hosts, "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
		"a host of nobody": await askHttp(scenario, hosts, { name: "other.example.com" }),
	};
}

const EXPECTED = {
	git: "git",
	"an app": "apps",
	"an app further down": "apps",
	"the parent of apps": "fallback",
	"a name of nobody": "fallback",
	www: "www for 127.0.0.1",
	"a host of nobody": "404",
};

scenario("the example of the guide from sniproxy does what it says", async (scenario) => {
	const yaml = exampleOnLoopback("sniproxy.yaml", {
		...(await startUpstreams(scenario)),
		"0.0.0.0:443": `${LOOPBACK}:0`,
		"0.0.0.0:80": `${LOOPBACK}:0`,
		"127.0.0.1:9090": `${LOOPBACK}:0`,
	});
	const gateway = await startGateway(scenario, yaml);
	const [names, hosts] = [0, 1].map((listener) => ({ host: LOOPBACK, port: gateway.port(listener) })) as [
		Place,
		Place,
	];
	assert.deepEqual(await ask(scenario, { names, hosts }), EXPECTED);
});

scenario(
	"sniproxy sends the same names to the same upstreams by the configuration that the guide replaces",
	async (scenario) => {
		const { directory } = scenario;
		const [names, hosts] = [await freeAddress(), await freeAddress()];
		const file = join(directory, "sniproxy.conf");
		const configuration = exampleOnLoopback("sniproxy.conf", {
			...(await startUpstreams(scenario)),
			"0.0.0.0:443": names.text,
			"0.0.0.0:80": hosts.text,
			"/run/": `${directory}/`,
			"/var/log/sniproxy/": `${directory}/`,
			"user daemon": `user ${userInfo().username}`,
			// The machine's log is not the test's.
			"syslog daemon": `filename ${join(directory, "error.log")}`,
		});
		writeFileSync(file, configuration);
		const sniproxy = start(scenario, "sniproxy", ["-f", "-c", file]);
		await accepting(names.port, names.host, sniproxy);
		// What the guide says of a host of nobody.
		assert.deepEqual(await ask(scenario, { names, hosts }), { ...EXPECTED, "a host of nobody": "503" });
	},
	{ needs: ["sniproxy"] },
);
