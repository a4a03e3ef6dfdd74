/** The command as somebody gets it: packed, installed globally under a folder of the test, and started by its name, as docs/install.md has it. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../support/pieces.js";
import { type Outcome, run, start } from "../support/processes.js";
import { scenario } from "../support/scenario.js";
import { notifyEnd } from "../support/service-manager.js";

const guide = readFileSync(join(ROOT, "docs/install.md"), "utf8");
/** Its blocks of commands that name this. */
const blocks = (what: string): string[] =>
	[...guide.matchAll(/^```sh\n(.*?)^```$/gms)]
		.map(([, text = ""]) => text)
		.filter((text) => text.includes(what));

async function shell(
	text: string,
	directory: string,
	env: Readonly<Record<string, string>>,
): Promise<Outcome> {
	const outcome = await run("sh", ["-ec", text], { directory, env });
	assert.equal(outcome.status, 0, `${text}\n${outcome.output}`);
	return outcome;
}

scenario(
	"what the guide says of npm brings the command, and all that it names beside it",
	async (scenario) => {
		const { directory } = scenario;
		const prefix = join(directory, "prefix");
		const sluice = join(prefix, "bin/sluice");
		const environment = {
			...{ npm_config_prefix: prefix, npm_config_prefer_offline: "true", npm_config_audit: "false" },
			PATH: `${join(prefix, "bin")}:${dirname(process.execPath)}:/usr/bin:/bin`,
		};
		// What is built is packed: the checkout has other tests running in it.
		const [block = ""] = blocks("npm pack");
		const packed = await run({ path: "npm" }, ["pack", "--ignore-scripts", "--pack-destination", directory], {
			directory: ROOT,
		});
		assert.equal(packed.status, 0, packed.output);
		const commands = block.replace(/^npm (ci|pack)\b.*\n/gm, "").replace("--seconds 10", "--seconds 1");
		assert.match(commands, /^npm i -g .*\nsluice --version\nsluice demo .*\nsluice check /);
		const { output } = await shell(commands, directory, environment);
		const written = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
		assert.match(output, new RegExp(`^${written.version.replaceAll(".", "\\.")}$`, "m"));
		assert.match(output, /curl /);

		const there = join(prefix, "lib/node_modules/sluice");
		for (const [, path = ""] of guide.matchAll(/\]\(\.\.\/(packaging\/[^)]+)\)/g))
			assert.ok(existsSync(join(there, path)), path);
		assert.ok(existsSync(join(there, "docs/install.md")));

		const root = join(directory, "root");
		mkdirSync(root);
		writeFileSync(
			join(directory, "sluice.yaml"),
			'listeners: [{ listen: "127.0.0.1:0", routes: [{ to: reject }] }]\n',
		);
		// Into a folder of the test, and for nobody who is not there; what asks systemd itself is left out.
		const placed = blocks("install -D")
			.join("")
			.replace(/^systemctl .*\n/gm, "")
			.replaceAll(" && systemd-sysusers", "")
			.replaceAll("-g sluice ", "")
			.replaceAll(/ (\/(?:etc|usr)\/)/g, ` ${root}$1`);
		await shell(placed, directory, environment);
		for (const name of ["sluice.service", "sluice.socket", "sluice.service.d/only-sockets.conf"])
			assert.ok(existsSync(join(root, "etc/systemd/system", name)), name);
		assert.deepEqual(readdirSync(join(root, "usr/lib/sysusers.d")), ["sluice.conf"]);

		const file = join(root, "etc/sluice/sluice.yaml");
		const manager = notifyEnd(scenario, join(directory, "notify"));
		const service = start(scenario, { path: sluice }, ["run", "-c", file], {
			env: { ...environment, NOTIFY_SOCKET: manager.name },
		});
		const { said } = await manager.hears("READY=1");
		assert.equal(said.get("MAINPID"), String(service.pid));
		assert.match(readFileSync(`/proc/${service.pid}/environ`, "latin1"), /MALLOC_ARENA_MAX=1/);
		service.signal("SIGTERM");
		assert.equal(await service.exited, 0);
	},
);
