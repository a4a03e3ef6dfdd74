/**
 * docs/migrate/change-over.md, done as it says: HAProxy and Sluice in a network namespace of the test, the guide's own
 * commands, connections that live throughout, and one that comes after the other all the time.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeLink } from "../../src/drill/link.js";
import { MAIN } from "../../src/rig/gateway.js";
import { blocksOf } from "../support/guide.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { type Child, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const commands = blocksOf("docs/migrate/change-over.md")
	.filter(({ language }) => language === "sh")
	.flatMap(({ text }) => text.split("\n"));
const [flush = ""] = commands.filter((line) => line.startsWith("nft flush"));
const redirect = commands.filter((line) => line.startsWith("nft add"));

/** Asks again and again until it is stopped, each time by a connection of its own; a refusal is an error. */
class Visitors {
	answered = 0;
	#stopped = false;
	readonly #over: Promise<void>;

	constructor(scenario: Scenario, host: string) {
		this.#over = this.#visit(scenario, host);
		this.#over.catch(() => {});
	}

	async #visit(scenario: Scenario, host: string): Promise<void> {
		while (!this.#stopped) {
			const visitor = await dial(scenario, 443, { host });
			visitor.end("a visitor");
			assert.equal(await visitor.rest(), "a visitor");
			visitor.socket.destroy();
			this.answered++;
		}
	}

	/** Until some more have come and gone. */
	async some(): Promise<void> {
		const enough = this.answered + 10;
		const some = eventually(
			() => this.answered >= enough || undefined,
			() => `only ${this.answered} visitors of ${enough}`,
		);
		await Promise.race([some, this.#over]);
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await this.#over;
	}
}

function haproxyText(upstream: string): string {
	return `
defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
listen all
  bind 0.0.0.0:443
  server one ${upstream}
`;
}

function sluiceText(upstream: string, ports: readonly number[]): string {
	const listeners = ports.map((port) => `  - { listen: "0.0.0.0:${port}", routes: [{ to: one }] }`);
	return `reactors: 1\nlisteners:\n${listeners.join("\n")}\nupstreams: { one: "${upstream}" }\n`;
}

const sessionsOn = (sluice: Child, listener: string): number =>
	sluice.stdout.split("\n").filter((line) => line.includes(`"listener":"${listener}","route"`)).length;

scenario(
	"a port goes from HAProxy to Sluice by the guide's commands: nobody is refused, and no connection is cut",
	async (scenario) => {
		assert.equal(redirect.length, 5);
		assert.notEqual(flush, "");
		const link = makeLink();
		assert.ok(typeof link !== "string", String(link));
		scenario.defer(() => link.remove());
		const { hostAddress, address: host, enter } = link;
		const inside = (path: string, ...args: string[]): Child => {
			const [command = "", ...before] = [...enter, path, ...args];
			return start(scenario, { path: command }, before);
		};
		const type = (command: string): void => {
			const [program = "", ...before] = [...enter, "sh", "-ec", command];
			const { status, stderr } = spawnSync(program, before, { encoding: "utf8" });
			assert.equal(status, 0, `${command}: ${stderr}`);
		};
		const upstream = await startUpstream(scenario, echo, { host: hostAddress });
		const stillLives = async (...peers: Awaited<ReturnType<typeof dial>>[]): Promise<void> => {
			for (const peer of peers) {
				await peer.send("still here?");
				await peer.expect("still here?");
			}
		};

		const haproxyFile = join(scenario.directory, "haproxy.cfg");
		writeFileSync(haproxyFile, haproxyText(upstream.address));
		const haproxy = inside("haproxy", "-db", "-f", haproxyFile);
		await eventually(
			() => (!haproxy.ended && listensOn(link.enter, 443)) || undefined,
			() => haproxy.output,
		);
		const old = await dial(scenario, 443, { host });
		await stillLives(old);

		// Beside.
		const file = join(scenario.directory, "sluice.yaml");
		writeFileSync(file, sluiceText(upstream.address, [8443]));
		const sluice = inside(process.execPath, MAIN, "run", "-c", file);
		await sluice.printed(/"message":"ready"/);
		const visitors = new Visitors(scenario, host);
		await visitors.some();
		assert.equal(sessionsOn(sluice, "0.0.0.0:8443"), 0);

		// New ones come to Sluice.
		for (const command of redirect) type(command);
		await visitors.some();
		await sluice.printed(/"listener":"0\.0\.0\.0:8443","route"/);
		const redirected = await dial(scenario, 443, { host });
		await stillLives(old, redirected);

		// The old one no longer listens, and lives for its last connection.
		haproxy.signal("SIGUSR1");
		await eventually(
			() => (listensOn(link.enter, 443) ? undefined : true),
			() => "HAProxy still listens",
		);
		await stillLives(old, redirected);
		assert.equal(haproxy.ended, false);

		// Sluice takes the port itself.
		writeFileSync(file, sluiceText(upstream.address, [8443, 443]));
		sluice.signal("SIGHUP");
		await sluice.printed(/"message":"reloaded"/);
		await visitors.some();
		assert.equal(sessionsOn(sluice, "0.0.0.0:443"), 0);
		type(flush);
		await visitors.some();
		await sluice.printed(/"listener":"0\.0\.0\.0:443","route"/);
		const direct = await dial(scenario, 443, { host });
		await stillLives(old, redirected, direct);

		await visitors.stop();
		old.end();
		await old.rest();
		assert.equal(await haproxy.exited, 0, haproxy.output);
		await stillLives(redirected, direct);
		for (const peer of [redirected, direct]) {
			peer.end();
			await peer.rest();
		}
		sluice.signal("SIGTERM");
		assert.equal(await sluice.exited, 0, sluice.output);
	},
	{ needs: ["haproxy", "nft", "packets"] },
);

/** Whether anybody does inside, by the kernel's table. */
function listensOn(enter: readonly string[], port: number): boolean {
	const [command = "", ...args] = [...enter, "cat", "/proc/net/tcp"];
	const { stdout } = spawnSync(command, args, { encoding: "utf8" });
	return new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ 0A `).test(stdout);
}
