/** Every example can be checked, started and ended as it stands. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { copyFileSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../../src/config/config.js";
import { loadConfigFile } from "../../src/config/load.js";
import { MAIN } from "../../src/rig/gateway.js";
import { tellNotRun } from "../support/needs.js";
import { Child, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

const directory = fileURLToPath(new URL("../../../examples", import.meta.url));
// Alert rules and such stand there as well.
const examples = readdirSync(directory).filter(
	(name) => name.endsWith(".yaml") && /^listeners:/m.test(readFileSync(join(directory, name), "utf8")),
);

async function isFree(host: string, port: number, forDatagrams: boolean): Promise<boolean> {
	if (forDatagrams) {
		const socket = createSocket("udp4");
		return new Promise((resolve) => {
			socket.once("error", () => socket.close(() => resolve(false)));
			socket.bind(port, host, () => socket.close(() => resolve(true)));
		});
	}
	const server = createServer();
	return new Promise((resolve) => {
		server.once("error", () => resolve(false));
		server.listen({ host, port }, () => server.close(() => resolve(true)));
	});
}

/** The files that it names, as the commands in it would make them. */
function makeCertificates(scenario: Scenario, { listeners }: Config): void {
	for (const { names, certFile, keyFile } of listeners.flatMap(({ certificates }) => certificates)) {
		const made = identity(scenario, names[0] ?? "localhost", { names });
		renameSync(made.certFile, certFile);
		renameSync(made.keyFile, keyFile);
	}
}

for (const name of examples) {
	const sentence = `${name} is good, starts and ends`;
	scenario(sentence, async (scenario) => {
		const path = join(scenario.directory, name);
		copyFileSync(join(directory, name), path);
		makeCertificates(scenario, loadConfigFile(path));
		const checked = await run({ path: process.execPath }, [MAIN, "check", "-c", path]);
		assert.equal(checked.status, 0, checked.output);

		// Examples name real ports, which somebody on this machine may use.
		const { listeners, admin, tunnels } = loadConfigFile(path);
		const others = [...(admin?.kind === "ip" ? [admin] : []), ...(tunnels === null ? [] : [tunnels])];
		for (const place of [...listeners, ...others]) {
			const { host, port } = place;
			const forDatagrams = "datagrams" in place && place.datagrams !== undefined;
			if (await isFree(host, port, forDatagrams)) continue;
			const where = `${host}:${port}${forDatagrams ? "/udp" : ""}`;
			tellNotRun(sentence, `needs ${where} to be free; it was only checked, not started`);
			return;
		}
		const child = new Child(process.execPath, [MAIN, "run", "-c", path]);
		scenario.defer(() => child.stop("SIGKILL"));
		await child.printed(/"message":"ready"/);
		child.signal("SIGTERM");
		assert.equal(await child.exited, 0, child.output);
		assert.equal(child.stderr, "");
	});
}
