/** The Dockerfile, read: what can be known of the image without an engine. With one, image.long.test.ts builds and runs it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MAIN } from "../../src/rig/gateway.js";
import { dockerfile, imageUser, instructions } from "../support/container.js";
import { ROOT } from "../support/pieces.js";

/** Of its arguments, as the shell's expansion would have it. */
function images(): readonly string[] {
	const defaults = new Map(instructions("ARG").map((value) => value.split("=", 2) as [string, string]));
	return instructions("FROM").map((value) =>
		value.replace(/\$\{(\w+)\}/g, (_, name: string) => defaults.get(name) ?? "").replace(/ AS .*/, ""),
	);
}

test("it has two stages, each from an image that a whole version names", () => {
	const [node = "", base = "", ...more] = images();
	assert.deepEqual(more, []);
	assert.match(node, /^docker\.io\/library\/node:\d+\.\d+\.\d+-\w+-slim$/);
	assert.match(base, /^docker\.io\/library\/debian:\d+\.\d+-slim$/);
	// The Node in it is one that the tests run under.
	const [, version = ""] = /:(\d+\.\d+\.\d+)/.exec(node) ?? [];
	assert.match(
		readFileSync(join(ROOT, "test/versions.ts"), "utf8"),
		new RegExp(`"${version.replaceAll(".", "\\.")}"`),
	);
});

test("docs/dependencies.md names each image with its version", () => {
	const page = readFileSync(join(ROOT, "docs/dependencies.md"), "utf8");
	const compose = readFileSync(join(ROOT, "packaging/docker/compose.yaml"), "utf8");
	const composed = [...compose.matchAll(/image: docker\.io\/(\S+)/g)].map(([, image = ""]) => image);
	assert.ok(composed.length >= 3);
	for (const image of [...images().map((name) => name.replace("docker.io/library/", "")), ...composed]) {
		const [, name = "", version = ""] = /^(.+):(v?[\d.]+)/.exec(image) ?? [];
		assert.ok(page.includes(`${name} ${version}`), image);
	}
});

test("it runs as nobody's number, with a command that needs no shell and hears SIGTERM", () => {
	const last = dockerfile().findLastIndex(({ name }) => name === "FROM");
	const image = new Map(
		dockerfile()
			.slice(last)
			.map(({ name, value }) => [name, value]),
	);
	// Nothing is run in the last stage, so that it is made of what was copied, for any machine.
	assert.deepEqual(
		[...image.keys()],
		["FROM", "COPY", "USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"],
	);
	const { uid, gid } = imageUser();
	assert.ok(uid >= 10_000 && gid >= 10_000);
	assert.equal(image.get("STOPSIGNAL"), "SIGTERM");
	const entry = JSON.parse(image.get("ENTRYPOINT") ?? "") as string[];
	const command = JSON.parse(image.get("CMD") ?? "") as string[];
	const health = JSON.parse(/CMD (\[.*\])$/.exec(image.get("HEALTHCHECK") ?? "")?.[1] ?? "") as string[];
	assert.deepEqual(entry, ["sluice"]);
	for (const [subcommand = "", ...args] of [command, health.slice(1)]) {
		const { stdout, status } = spawnSync(process.execPath, [MAIN, subcommand, "--help"], {
			encoding: "utf8",
		});
		assert.equal(status, 0);
		assert.match(stdout, /-c, --config <file>/);
		assert.deepEqual(args, ["-c", "/etc/sluice/sluice.yaml"]);
	}
});

test("what the build copies is there, and is not left out by .dockerignore", () => {
	const ignored = readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n");
	const [copied = ""] = instructions("COPY");
	const build = instructions("RUN").join(" ");
	const sources = [
		...copied.split(" ").slice(0, -1),
		"LICENSE",
		"src",
		"test",
		"bench",
		"examples",
		"tsconfig.json",
	];
	for (const source of sources) {
		assert.ok(existsSync(join(ROOT, source)), source);
		assert.ok(!ignored.includes(source), source);
	}
	// Made by the build, and never taken from here.
	for (const made of ["dist", "node_modules"]) {
		assert.ok(ignored.includes(made));
		assert.ok(build.includes(made));
	}
	const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { files: string[] };
	for (const file of files.filter((name) => name.endsWith(".json"))) assert.ok(build.includes(file), file);
});
