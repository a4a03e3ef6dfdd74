/** packaging/docker: what stands twice is the same, and its configuration does what it says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { loadConfigFile } from "../../src/config/load.js";
import { seconds } from "../support/container.js";
import { startGateway } from "../support/gateway.js";
import { askHttp, namedHttp } from "../support/migration.js";
import { tellNotRun } from "../support/needs.js";
import { LOOPBACK } from "../support/peers.js";
import { ROOT } from "../support/pieces.js";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

interface Service {
	readonly image: string;
	readonly build?: string;
	readonly command?: readonly string[];
	readonly ports?: readonly string[];
	readonly volumes?: readonly string[];
	readonly read_only?: boolean;
	readonly cap_drop?: readonly string[];
	readonly security_opt?: readonly string[];
	readonly stop_grace_period?: string;
	readonly ulimits?: { readonly nofile: { readonly soft: number; readonly hard: number } };
	readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const folder = join(ROOT, "packaging/docker");
const file = join(folder, "sluice/sluice.yaml");
const config = loadConfigFile(file);
const { services } = parse(readFileSync(join(folder, "compose.yaml"), "utf8")) as {
	services: Record<"sluice" | "www" | "api" | "prometheus", Service>;
};
const prometheus = readFileSync(join(folder, "prometheus.yml"), "utf8");
const admin = config.admin?.kind === "ip" ? config.admin : undefined;

test("images are named by whole versions, and every folder and file that is mounted is there", () => {
	const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
	for (const [name, { image, volumes = [] }] of Object.entries(services)) {
		assert.match(
			image,
			name === "sluice" ? new RegExp(`^sluice:${version}$`) : /^docker\.io\/.*:v\d+\.\d+\.\d+$/,
		);
		for (const volume of volumes) {
			const [path = "", , mode] = volume.split(":");
			assert.ok(existsSync(join(folder, path)), path);
			assert.equal(mode, "ro");
		}
	}
	assert.ok(existsSync(join(folder, services.sluice.build ?? "", "Dockerfile")));
});

test("the gateway's ports, folder, descriptors and end are those of its configuration", () => {
	assert.deepEqual(config.warnings, []);
	const { ports = [], volumes = [], ulimits, stop_grace_period = "", ...rest } = services.sluice;
	const inside = ports.map((port) => Number(port.split(":").at(-1)));
	assert.deepEqual(inside, [...config.listeners.map(({ port }) => port), admin?.port]);
	// Only this machine may ask the admin port.
	assert.ok(ports.at(-1)?.startsWith("127.0.0.1:"));
	assert.equal(volumes[0]?.split(":")[1], "/etc/sluice");
	assert.ok(seconds(stop_grace_period) > config.timeouts.drainMs / 1000 + 2);
	const { connections, fdReserve } = config.limits;
	assert.ok((ulimits?.nofile.hard ?? 0) > 2 * Number(connections) + fdReserve);
	assert.equal(ulimits?.nofile.soft, ulimits?.nofile.hard);
	assert.deepEqual([rest.read_only, rest.cap_drop], [true, ["ALL"]]);
	assert.deepEqual(rest.security_opt, ["no-new-privileges:true"]);
});

test("routes lead to services, at the ports that these listen on", () => {
	for (const upstream of ["www", "api"] as const) {
		const { command = [] } = services[upstream];
		assert.equal(command[command.indexOf("--name") + 1], upstream);
		const port = command[command.indexOf("--port") + 1];
		assert.ok(readFileSync(file, "utf8").includes(`http://${upstream}:${port}"`));
	}
});

test("Prometheus asks the admin port by a name that it answers to, and has the rules of the package", () => {
	const { scrape_configs, rule_files } = parse(prometheus) as {
		scrape_configs: { static_configs: { targets: string[] }[] }[];
		rule_files: string[];
	};
	const [target = ""] = scrape_configs.flatMap(({ static_configs }) => static_configs[0]?.targets ?? []);
	assert.deepEqual(target.split(":"), ["sluice", String(admin?.port)]);
	assert.deepEqual(config.adminHosts, ["sluice"]);
	const mounts = new Map(
		(services.prometheus.volumes ?? []).map((volume) => volume.split(":").slice(0, 2) as [string, string]),
	);
	assert.equal(mounts.get("../prometheus/rules.yaml"), `/etc/prometheus/${rule_files[0]}`);
	assert.equal(mounts.get("./prometheus.yml"), "/etc/prometheus/prometheus.yml");
	assert.equal(services.prometheus.depends_on?.["sluice"]?.condition, "service_healthy");
});

scenario(
	"promtool takes Prometheus' configuration with the rules beside it",
	async ({ directory }) => {
		writeFileSync(join(directory, "prometheus.yml"), prometheus);
		writeFileSync(
			join(directory, "sluice-rules.yaml"),
			readFileSync(join(ROOT, "packaging/prometheus/rules.yaml")),
		);
		const { status, output } = await run("promtool", ["check", "config", join(directory, "prometheus.yml")]);
		assert.equal(status, 0, output);
		assert.match(output, /\d+ rules found/);
	},
	{ needs: ["promtool"] },
);

scenario("its configuration leads each name to its service", async (scenario) => {
	const text = readFileSync(file, "utf8")
		.replace(/^admin:.*$/m, "")
		.replace(/0\.0\.0\.0:\d+/g, `${LOOPBACK}:0`)
		.replace("http://www:3000", `http://${await namedHttp(scenario, "www")}`)
		.replace("http://api:3000", `http://${await namedHttp(scenario, "api")}`);
	const gateway = await startGateway(scenario, text);
	for (const [name, answer] of [
		["www.localhost:8080", "200 www over http"],
		["api.localhost:8080", "200 api over http"],
		["other.localhost", "404"],
	] as const)
		assert.equal(await askHttp(scenario, { host: LOOPBACK, port: gateway.port() }, { name }), answer);
});

test("docker compose takes the file", (context) => {
	const sentence = "docker compose takes the file";
	if (spawnSync("docker", ["compose", "version"]).status !== 0) {
		const reason = "needs docker compose: the package docker-compose-plugin of Docker, or docker-compose-v2";
		tellNotRun(sentence, reason);
		context.skip(reason);
		return;
	}
	const args = ["compose", "-f", join(folder, "compose.yaml"), "config", "--quiet"];
	const { status, stderr } = spawnSync("docker", args, { encoding: "utf8" });
	assert.equal(status, 0, stderr);
});
