/** docs/migrate/nginx-stream.md: nginx by its configuration and Sluice by the one beside it send the same names to the same upstreams. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { datagramPeer } from "../support/datagrams.js";
import { startGateway } from "../support/gateway.js";
import {
	askBytes,
	askTls,
	exampleOnLoopback,
	headerV1,
	LAST_WORDS,
	namedBytes,
	namedDatagrams,
	namedProxied,
	namedTls,
	type Place,
	type Replacements,
} from "../support/migration.js";
import { NGINX_STREAM_MODULE } from "../support/needs.js";
import { LOOPBACK } from "../support/peers.js";
import { accepting, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, identity } from "../support/tls.js";
import { eventually } from "../support/waiting.js";

interface Gateways {
	readonly names: Place;
	readonly imap: Place;
	readonly dns: Place;
}

async function startUpstreams(scenario: Scenario): Promise<Replacements> {
	const imap = () => namedProxied(scenario, "imap", headerV1);
	return {
		"10.0.0.5:443": await namedTls(scenario, "git"),
		"10.0.0.6:443": await namedTls(scenario, "apps"),
		"10.0.0.7:443": await namedTls(scenario, "apps"),
		"10.0.1.7:443": await namedTls(scenario, "the backup of apps"),
		"10.0.0.9:22": await namedBytes(scenario, "bastion"),
		"10.0.0.14:143": await imap(),
		"10.0.0.15:143": await imap(),
		"10.0.0.53:53": await namedDatagrams(scenario, "dns"),
	};
}

async function askDatagram(scenario: Scenario, { host, port }: Place, text: string): Promise<string> {
	const peer = await datagramPeer(scenario);
	peer.send(text, port, host);
	return peer.text();
}

/** TLS ends at the gateway, and the server behind it speaks first. */
async function askImap(scenario: Scenario, { host, port }: Place): Promise<string> {
	const peer = await dialTls(scenario, port, "imap.example.com", { host });
	return `${await peer.rest()}, as ${peer.shown}`;
}

async function ask(scenario: Scenario, { names, imap, dns }: Gateways): Promise<Record<string, string>> {
	return {
		git: await askTls(scenario, names, "git.example.com"),
		"an app": await askTls(scenario, names, "one.apps.example.com"),
		"an app further down": await askTls(scenario, names, "a.b.apps.example.com"),
		"a name of nobody": await askTls(scenario, names, "other.example.com"),
		"the parent of apps": await askTls(scenario, names, "apps.example.com"),
		ssh: await askBytes(scenario, names, "SSH-2.0-test\r\n"),
		"half-close": await askBytes(scenario, names, LAST_WORDS),
		imap: await askImap(scenario, imap),
		dns: await askDatagram(scenario, dns, "a question"),
	};
}

const EXPECTED = {
	git: "git",
	"an app": "apps",
	"an app further down": "apps",
	"a name of nobody": "refused",
	"the parent of apps": "refused",
	ssh: "bastion",
	"half-close": "bastion at the end",
	imap: "imap for 127.0.0.1, as imap.example.com",
	dns: "dns has a question",
};

scenario("the example of the guide from nginx does what it says", async (scenario) => {
	const upstreams = await startUpstreams(scenario);
	const { certFile, keyFile } = identity(scenario, "imap.example.com");
	const yaml = exampleOnLoopback("nginx-stream.yaml", {
		...upstreams,
		"0.0.0.0:443": `${LOOPBACK}:0`,
		"0.0.0.0:993": `${LOOPBACK}:0`,
		"0.0.0.0:53/udp": `${LOOPBACK}:0/udp`,
		"127.0.0.1:9090": `${LOOPBACK}:0`,
		"10.0.0.0/8": "127.0.0.0/8",
		"/etc/sluice/imap.pem": certFile,
		"/etc/sluice/imap.key": keyFile,
	});
	const gateway = await startGateway(scenario, yaml);
	const [names, imap, dns] = [0, 1, 2].map((listener) => ({
		host: LOOPBACK,
		port: gateway.port(listener),
	})) as [Place, Place, Place];
	assert.deepEqual(await ask(scenario, { names, imap, dns }), EXPECTED);
});

scenario(
	"nginx sends the same names to the same upstreams by the configuration that the guide replaces",
	async (scenario) => {
		const { directory } = scenario;
		const upstreams = await startUpstreams(scenario);
		const { certFile, keyFile } = identity(scenario, "imap.example.com");
		const [names, imap, dns] = (await Promise.all(Array.from({ length: 3 }, freeAddress))) as [
			FreeAddress,
			FreeAddress,
			FreeAddress,
		];
		const file = join(directory, "nginx.conf");
		const configuration = exampleOnLoopback("nginx-stream.conf", {
			...upstreams,
			"0.0.0.0:443": names.text,
			"0.0.0.0:993": imap.text,
			"0.0.0.0:53": dns.text,
			"10.0.0.0/8": "127.0.0.0/8",
			"/var/log/nginx/": `${directory}/`,
			"/etc/nginx/imap.pem": certFile,
			"/etc/nginx/imap.key": keyFile,
		});
		// What stands around the example wherever nginx is installed: its modules, and where it runs.
		const around = [
			existsSync(NGINX_STREAM_MODULE) ? `load_module ${NGINX_STREAM_MODULE};` : "",
			`daemon off; master_process off; pid ${join(directory, "nginx.pid")}; error_log stderr;`,
		];
		writeFileSync(file, [...around, configuration].join("\n"));
		const nginx = start(scenario, "nginx", ["-e", "stderr", "-c", file, "-p", directory]);
		await accepting(names.port, names.host, nginx);
		const heard = await ask(scenario, { names, imap, dns });
		// What the guide says of half-close: nginx ends both directions.
		assert.deepEqual(heard, { ...EXPECTED, "half-close": "refused" });
		await nginx.printed(/no host in upstream/);
		// Its log has the name, as Sluice's has.
		const log = join(directory, "stream.log");
		await eventually(
			() => /git\.example\.com 127\.0\.0\.1:\d+ 200/.test(readFileSync(log, "utf8")) || undefined,
			() => readFileSync(log, "utf8"),
		);
	},
	{ needs: ["nginx", "nginx stream"] },
);
