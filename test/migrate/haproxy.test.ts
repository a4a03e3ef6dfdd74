/** docs/migrate/haproxy.md: HAProxy by its configuration and Sluice by the one beside it send the same names to the same upstreams. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import {
	askBytes,
	askHttp,
	askTls,
	exampleOnLoopback,
	headerV2,
	LAST_WORDS,
	namedBytes,
	namedHttp,
	namedProxied,
	namedTls,
	type Place,
	type Replacements,
} from "../support/migration.js";
import { LOOPBACK } from "../support/peers.js";
import { accepting, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

/** Where each listener of the examples is. */
interface Gateways {
	readonly names: Place;
	readonly plain: Place;
	readonly imap: Place;
}

async function startUpstreams(scenario: Scenario): Promise<Replacements> {
	return {
		"10.0.0.5:443": await namedTls(scenario, "git"),
		"10.0.0.6:443": await namedTls(scenario, "apps"),
		"10.0.0.7:443": await namedTls(scenario, "apps"),
		"10.0.1.7:443": await namedTls(scenario, "the backup of apps"),
		"10.0.0.9:22": await namedBytes(scenario, "bastion"),
		"10.0.0.11:3000": await namedHttp(scenario, "api"),
		"10.0.0.12:3000": await namedHttp(scenario, "api"),
		"10.0.0.13:8080": await namedHttp(scenario, "pages"),
		"10.0.0.14:143": await namedProxied(scenario, "imap", headerV2),
	};
}

/** What clients of every kind hear. */
async function ask(scenario: Scenario, { names, plain, imap }: Gateways): Promise<Record<string, string>> {
	const www = (path: string, field?: string): Promise<string> =>
		askHttp(scenario, names, {
			...{ name: "www.example.com", path, tls: true },
			...(field === undefined ? {} : { field }),
		});
	return {
		git: await askTls(scenario, names, "git.example.com"),
		"git in capitals": await askTls(scenario, names, "GIT.example.com"),
		"an app": await askTls(scenario, names, "one.apps.example.com"),
		"an app further down": await askTls(scenario, names, "a.b.apps.example.com"),
		"a name of nobody": await askTls(scenario, names, "other.example.com"),
		"the parent of apps": await askTls(scenario, names, "apps.example.com"),
		ssh: await askBytes(scenario, names, "SSH-2.0-test\r\n"),
		"half-close": await askBytes(scenario, names, LAST_WORDS),
		page: await www("/", "x-content-type-options"),
		api: await www("/api/users"),
		internal: await www("/internal/metrics"),
		plain: await askHttp(scenario, plain, { name: "www.example.com", path: "/a?b=c" }),
		imap: await askBytes(scenario, imap),
	};
}

const EXPECTED = {
	git: "git",
	"git in capitals": "git",
	"an app": "apps",
	"an app further down": "apps",
	"a name of nobody": "refused",
	"the parent of apps": "refused",
	ssh: "bastion",
	"half-close": "bastion at the end",
	page: "200 pages over https nosniff",
	api: "200 api over https",
	internal: "403",
	plain: "308 https://www.example.com/a?b=c",
	imap: "imap for 127.0.0.1",
};

scenario("the example of the guide from HAProxy does what it says", async (scenario) => {
	const upstreams = await startUpstreams(scenario);
	const { certFile, keyFile } = identity(scenario, "www.example.com");
	const yaml = exampleOnLoopback("haproxy.yaml", {
		...upstreams,
		"0.0.0.0:443": `${LOOPBACK}:0`,
		"0.0.0.0:80": `${LOOPBACK}:0`,
		"0.0.0.0:143": `${LOOPBACK}:0`,
		"127.0.0.1:9090": `${LOOPBACK}:0`,
		"/etc/sluice/www.pem": certFile,
		"/etc/sluice/www.key": keyFile,
	});
	const gateway = await startGateway(scenario, yaml);
	const [names, plain, imap] = [0, 1, 2].map((listener) => ({
		host: LOOPBACK,
		port: gateway.port(listener),
	})) as [Place, Place, Place];
	assert.deepEqual(await ask(scenario, { names, plain, imap }), EXPECTED);
});

scenario(
	"HAProxy sends the same names to the same upstreams by the configuration that the guide replaces",
	async (scenario) => {
		const upstreams = await startUpstreams(scenario);
		const { bothFile } = identity(scenario, "www.example.com");
		const [names, plain, imap, metrics] = (await Promise.all(Array.from({ length: 4 }, freeAddress))) as [
			FreeAddress,
			FreeAddress,
			FreeAddress,
			FreeAddress,
		];
		const file = join(scenario.directory, "haproxy.cfg");
		writeFileSync(
			file,
			exampleOnLoopback("haproxy.cfg", {
				...upstreams,
				"0.0.0.0:443": names.text,
				"0.0.0.0:80": plain.text,
				"0.0.0.0:143": imap.text,
				"127.0.0.1:8404": metrics.text,
				"/run/haproxy/": `${scenario.directory}/`,
				"/etc/haproxy/www.pem": bothFile,
			}),
		);
		const haproxy = start(scenario, "haproxy", ["-db", "-f", file]);
		await accepting(names.port, names.host, haproxy);
		assert.deepEqual(await ask(scenario, { names, plain, imap }), EXPECTED);
	},
	{ needs: ["haproxy"] },
);
