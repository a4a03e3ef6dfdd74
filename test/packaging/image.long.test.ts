/**
 * The image, built from the Dockerfile and run as docs/install.md says, where there is an engine that can. Where images
 * cannot be fetched, SLUICE_NODE_IMAGE and SLUICE_BASE_IMAGE name ones that are there; SLUICE_ENGINE, SLUICE_BUILD_FLAGS and
 * SLUICE_RUN_FLAGS are for engines that need to be told more: `podman --runtime runc`, `--isolation chroot`.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { portIn } from "../../src/rig/gateway.js";
import { freeAddress } from "../support/addresses.js";
import { imageUser, instructions } from "../support/container.js";
import { tellNotRun } from "../support/needs.js";
import { dial, echo, LOOPBACK, startUpstream } from "../support/peers.js";
import { ROOT } from "../support/pieces.js";
import { Child } from "../support/processes.js";
import { scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const SENTENCE =
	"the image is small, runs as nobody in a read-only container, is healthy, reloads and drains";
/** Fetching and building. */
const BUILD_MS = 600_000;
/** Node is 120 MB of it, and Debian 75; stand-ins for Debian may be larger. */
const IMAGE_MAX_BYTES = 400_000_000;

const words = (text = ""): string[] => text.split(" ").filter((word) => word !== "");

/** With its arguments; standard output. @throws Error with what it said */
type Engine = (...args: readonly string[]) => string;

function engineOf([command = "", ...before]: readonly string[]): Engine {
	return (...args) => {
		const { status, stdout, stderr, error } = spawnSync(command, [...before, ...args], {
			encoding: "utf8",
			cwd: ROOT,
			timeout: BUILD_MS,
		});
		if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
		return stdout.trim();
	};
}

function find(): readonly string[] | undefined {
	const named = words(process.env["SLUICE_ENGINE"]);
	if (named.length > 0) return named;
	// The client alone builds nothing: "version" asks the daemon.
	return [["docker"], ["podman"]].find(([name = ""]) => spawnSync(name, ["version"]).status === 0);
}

/** The arguments that name other images, or what is missing. */
function baseImages(engine: Engine): readonly string[] | string {
	const args: string[] = [];
	for (const value of instructions("ARG")) {
		const [name = "", image = ""] = value.split("=", 2);
		const other = process.env[`SLUICE_${name}`];
		if (other !== undefined) args.push("--build-arg", `${name}=${other}`);
		else
			try {
				engine("pull", "--quiet", image);
			} catch (error) {
				const why = (error as Error).message.trim().split("\n").at(-1);
				return `needs the image ${image}, or one in SLUICE_${name}: ${why}`;
			}
	}
	return args;
}

scenario(
	SENTENCE,
	async (scenario) => {
		const command = find();
		const leave = (reason: string): void => {
			tellNotRun(SENTENCE, reason);
			scenario.context.skip(reason);
		};
		if (command === undefined)
			return leave("needs Docker with its daemon, or Podman: apt-get install podman");
		const engine = engineOf(command);
		const bases = baseImages(engine);
		if (typeof bases === "string") return leave(bases);
		const name = `localhost/sluice-test:${process.pid}`;
		const isPodman = command[0]?.endsWith("podman") === true;
		engine(
			...["build", "--tag", name, "--network", "host", ...(isPodman ? ["--format", "docker"] : []), ...bases],
			...[...words(process.env["SLUICE_BUILD_FLAGS"]), "."],
		);
		scenario.defer(() => engine("rmi", "--force", name));

		const [image] = JSON.parse(engine("image", "inspect", name)) as {
			Size: number;
			Config: { User: string; StopSignal: string };
		}[];
		const { uid, gid } = imageUser();
		assert.deepEqual([image?.Config.User, image?.Config.StopSignal], [`${uid}:${gid}`, "SIGTERM"]);
		assert.ok(Number(image?.Size) < IMAGE_MAX_BYTES, String(image?.Size));

		const upstream = await startUpstream(scenario, echo);
		const folder = join(scenario.directory, "etc");
		mkdirSync(folder);
		const write = (idle: string): void => {
			const listener = `{ listen: "${LOOPBACK}:0", routes: [{ to: a }] }`;
			const timeouts = `{ drain: 20s, idle: ${idle} }`;
			writeFileSync(
				join(folder, "sluice.yaml"),
				`admin: ${admin.text}\nreactors: 1\ntimeouts: ${timeouts}\nlisteners: [${listener}]\nupstreams: { a: "${upstream.address}" }\n`,
			);
		};
		// "sluice status" reads it from the file, so that it has to stand there.
		const admin = await freeAddress();
		write("10m");
		for (const path of [scenario.directory, folder]) chmodSync(path, 0o755);

		const container = `sluice-test-${process.pid}`;
		const args = ["--name", container, "--network", "host", "--read-only", "--cap-drop", "ALL"];
		const mounts = ["--security-opt", "no-new-privileges", "--volume", `${folder}:/etc/sluice:ro`];
		const [program = "", ...before] = command;
		const running = new Child(program, [
			...[...before, "run", ...args, ...mounts, ...words(process.env["SLUICE_RUN_FLAGS"]), name],
		]);
		scenario.defer(async () => {
			spawnSync(program, [...before, "rm", "--force", container]);
			await running.stop();
		});
		const [ready] = await running.printed(/^.*"message":"ready".*$/m);
		const { listeners } = JSON.parse(ready) as { listeners: string[] };
		const visitor = await dial(scenario, portIn(listeners[0] ?? ""));
		await visitor.send("hello");
		await visitor.expect("hello");

		// Process 1 is Sluice, and nobody with no right.
		const inside = (...line: string[]): string => engine("exec", container, ...line);
		assert.match(inside("cat", "/proc/1/cmdline"), /sluice\0run\0-c\0\/etc\/sluice\/sluice\.yaml/);
		const status = inside("cat", "/proc/1/status");
		assert.match(status, new RegExp(`^Uid:\\s+${uid}\\s`, "m"));
		assert.match(status, /^CapEff:\s+0+$/m);
		assert.match(status, /^NoNewPrivs:\s+1$/m);
		assert.throws(() => inside("sh", "-c", ": > /opt/sluice/written"));
		// What HEALTHCHECK asks.
		const check = JSON.parse(
			/CMD (\[.*\])/.exec(instructions("HEALTHCHECK")[0] ?? "")?.[1] ?? "",
		) as string[];
		assert.match(inside(...check), /^sluice +\S+, ready/m);

		write("5m");
		engine("kill", "--signal", "HUP", container);
		await running.printed(/"message":"reloaded"/);
		const stopping = new Child(program, [...before, "stop", "--time", "40", container]);
		scenario.defer(() => stopping.stop());
		await running.printed(/"message":"draining"/);
		await visitor.send("still here");
		await visitor.expect("still here");
		visitor.end();
		assert.equal(await running.exited, 0, running.output);
		await eventually(
			() => stopping.ended || undefined,
			() => "the engine has not noticed",
		);
	},
	{ mostMs: 2 * BUILD_MS },
);
