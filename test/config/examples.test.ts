import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { loadConfigFile, loadConfigText } from "../../src/config/load.js";
import { jsonSchema } from "../../src/config/schema.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith(".yaml"));

test("every example loads, and can be run by anybody on this machine alone", () => {
	assert.ok(examples.length >= 4);
	for (const name of examples) {
		const config = loadConfigFile(`${root}examples/${name}`);
		assert.deepEqual(config.warnings, [], name);
		const admin = config.admin?.kind === "ip" ? [config.admin] : [];
		for (const { host, port } of [...config.listeners, ...admin]) {
			assert.equal(host, "127.0.0.1", name);
			assert.ok(port >= 1024, name);
		}
	}
});

test("every example agrees with the JSON Schema", () => {
	const schema = z.fromJSONSchema(jsonSchema());
	for (const name of examples) {
		schema.parse(parse(readFileSync(`${root}examples/${name}`, "utf8")));
	}
	assert.equal(schema.safeParse({ listeners: [], rotues: 1 }).success, false);
});

test("every YAML file in the documentation loads", () => {
	for (const name of ["configuration", "udp"]) {
		const page = readFileSync(`${root}docs/${name}.md`, "utf8");
		const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
		const files = blocks.filter((text) => /^listeners:/m.test(text));
		assert.ok(files.length > 0, name);
		for (const text of files) assert.deepEqual(loadConfigText(text).warnings, [], text);
	}
});

test("every key is documented", () => {
	const page = readFileSync(`${root}docs/configuration.md`, "utf8");
	const names = new Set<string>();
	JSON.stringify(jsonSchema(), (_, value) => {
		if (typeof value?.properties === "object")
			for (const key of Object.keys(value.properties)) names.add(key);
		return value;
	});
	for (const name of names) assert.ok(page.includes(`\`${name}\``), name);
});
