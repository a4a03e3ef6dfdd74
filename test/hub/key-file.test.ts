/** The file of keys, while it is renewed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KeyFile, readTokenKeys } from "../../src/hub/key-file.js";
import { newKey } from "../../src/hub/new-key.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { Changes } from "../support/waiting.js";
import { token } from "./support.js";

const [first, second] = [newKey("EdDSA", "1"), newKey("ES256", "2")];
const CLAIMS = { exp: Math.ceil(Date.now() / 1_000) + 3_600, hub: { subscribe: ["a"] } };
const byFirst = token("EdDSA", CLAIMS, { alg: "EdDSA", kid: "1" }, first);
const bySecond = token("ES256", CLAIMS, { alg: "ES256", kid: "2" }, second);

const FIRST = JSON.stringify({ keys: [first.verifier] });
const BOTH = JSON.stringify({ keys: [first.verifier, second.verifier] });
const SECOND = JSON.stringify({ keys: [second.verifier] });

class Followed {
	readonly path: string;
	readonly file: KeyFile;
	readonly refusals: string[] = [];
	reloads = 0;
	readonly #changes = new Changes();

	constructor(scenario: Scenario, path = join(scenario.directory, "keys.json")) {
		this.path = path;
		writeFileSync(path, FIRST);
		this.file = new KeyFile(path, {
			everyMs: 5,
			reloaded: () => {
				this.reloads++;
				this.#changes.announce();
			},
			refused: (sentence) => {
				this.refusals.push(sentence);
				this.#changes.announce();
			},
		});
		scenario.defer(() => this.file.close());
	}

	/** As a careful program writes it: at once. */
	write(text: string): void {
		writeFileSync(`${this.path}.new`, text);
		renameSync(`${this.path}.new`, this.path);
	}

	reloaded(times: number): Promise<true> {
		return this.#changes.until(
			() => this.reloads >= times || undefined,
			() => `no reload; refused: ${this.refusals.join()}`,
		);
	}

	/** The next refusal that says this. */
	refused(reason: RegExp): Promise<string> {
		return this.#changes.until(
			() => this.refusals.splice(0).find((sentence) => reason.test(sentence)),
			() => `no refusal of ${String(reason)}`,
		);
	}
}

scenario("keys are renewed while tokens come: one is added, and the other taken away", async (scenario) => {
	const followed = new Followed(scenario);
	const { file } = followed;
	await file.verify(byFirst);
	await assert.rejects(file.verify(bySecond), /not known here/);
	followed.write(BOTH);
	await followed.reloaded(1);
	await Promise.all([file.verify(byFirst), file.verify(bySecond)]);
	followed.write(SECOND);
	await followed.reloaded(2);
	await file.verify(bySecond);
	await assert.rejects(file.verify(byFirst), /not known here/);
	assert.deepEqual(followed.refusals, []);
});

scenario("a bad file keeps the keys in force, says why, and is looked at again", async (scenario) => {
	const followed = new Followed(scenario);
	const { path, file } = followed;
	const before = file.keys;
	for (const [become, reason] of [
		[() => followed.write(FIRST.slice(0, -5)), /is no JSON/],
		[() => followed.write(JSON.stringify({ keys: [first.signer] })), /has its private part/],
		[() => followed.write(""), /is empty/],
		[() => rmSync(path), /no such file/],
		[() => followed.write(`"${"a".repeat(300_000)}"`), /larger than 262144 bytes/],
		[() => rmSync(path), /no such file/],
		[() => execFileSync("mkfifo", [path]), /is a pipe: name a file/],
	] as const) {
		become();
		const sentence = await followed.refused(reason);
		assert.ok(sentence.startsWith(`${path}: `), sentence);
		assert.ok(!sentence.includes(String(first.signer["d"])));
		assert.equal(file.keys, before);
		await file.verify(byFirst);
	}
	rmSync(path);
	followed.write(SECOND);
	await followed.reloaded(1);
	await file.verify(bySecond);
});

scenario("a link that leads elsewhere is a change, as where secrets are mounted", async (scenario) => {
	const link = join(scenario.directory, "keys.json");
	const followed = new Followed(scenario, join(scenario.directory, "one.json"));
	const other = join(scenario.directory, "two.json");
	writeFileSync(other, SECOND);
	symlinkSync(followed.path, link);
	const changes = new Changes();
	const file = new KeyFile(link, { everyMs: 5, reloaded: () => changes.announce() });
	scenario.defer(() => file.close());
	const before = file.keys;
	symlinkSync(other, `${link}.new`);
	renameSync(`${link}.new`, link);
	await changes.until(
		() => (file.keys === before ? undefined : true),
		() => "no reload",
	);
	await file.verify(bySecond);
});

scenario("it is read at once when that is asked for, and no more once it is closed", async (scenario) => {
	const followed = new Followed(scenario);
	const slow = new KeyFile(followed.path, { everyMs: 3_600_000 });
	scenario.defer(() => slow.close());
	followed.write(SECOND);
	slow.reload();
	await slow.verify(bySecond);
	await followed.reloaded(1);
	slow.close();
	followed.file.close();
	// Whoever still looks sees this many times over before the closed one is asked.
	const changes = new Changes();
	let reloads = 0;
	const looking = new KeyFile(followed.path, {
		everyMs: 5,
		reloaded: () => {
			reloads++;
			changes.announce();
		},
	});
	scenario.defer(() => looking.close());
	for (const [index, text] of [FIRST, BOTH, FIRST].entries()) {
		followed.write(text);
		await changes.until(
			() => reloads > index || undefined,
			() => "no reload",
		);
	}
	assert.equal(followed.reloads, 1);
	await followed.file.verify(bySecond);
});

scenario("a file that cannot be used from the start is told as one sentence", async (scenario) => {
	const path = join(scenario.directory, "none.json");
	for (const read of [() => new KeyFile(path), () => readTokenKeys(path)])
		assert.throws(read, { message: `${path}: no such file` });
	assert.throws(() => readTokenKeys(scenario.directory), /is a directory: name the file in it$/);
});
