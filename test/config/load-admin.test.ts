import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ConfigError } from "../../src/config/errors.js";
import { loadAdmin } from "../../src/config/load-admin.js";

function fileOf(t: TestContext, text: string): string {
	const directory = mkdtempSync(join(tmpdir(), "sluice-admin-"));
	t.after(() => rmSync(directory, { recursive: true }));
	const file = join(directory, "sluice.yaml");
	writeFileSync(file, text);
	return file;
}

const REST =
	'listeners: [ { listen: "0.0.0.0:443", routes: [ { to: alhpa } ] } ]\nupstreams: { alpha: "10.0.0.1:1" }\n';

test("the admin port of a file is known although another part of it is wrong", (t) => {
	const file = fileOf(t, `admin: 127.0.0.1:9090\nadmin_tokens: { full: "0123456789abcdef-full" }\n${REST}`);
	const { admin, adminTokens } = loadAdmin(file);
	assert.deepEqual(admin?.kind === "ip" ? [admin.host, admin.port] : admin, ["127.0.0.1", 9090]);
	assert.equal(adminTokens.full, "0123456789abcdef-full");
});

test("a file without an admin port, or with a wrong one, is told with all that is wrong with it", (t) => {
	for (const admin of ["", "admin: nowhere\n"])
		assert.throws(
			() => loadAdmin(fileOf(t, `${admin}${REST}`)),
			(error) => error instanceof ConfigError && error.message.includes('did you mean "alpha"'),
		);
});
