/** `sluice hub-key` and `sluice hub-token`: what they print and write, the gateway's half takes; and what they refuse. */
import assert from "node:assert/strict";
import {
	chmodSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type HubKeyOptions, hubKey } from "../../src/cli/hub/key.js";
import { printedHubToken } from "../../src/cli/hub/token.js";
import { ALGORITHMS, type Jwk } from "../../src/hub/algorithms.js";
import { readTokenKeys } from "../../src/hub/key-file.js";
import { type HubRights, TokenKeys } from "../../src/hub/tokens.js";
import { MAIN } from "../../src/rig/gateway.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** Where a scenario's keys are. */
class Place {
	readonly directory: string;
	readonly into: string;
	readonly out: string;

	constructor({ directory }: Scenario) {
		this.directory = directory;
		this.into = join(directory, "hub-keys.json");
		this.out = join(directory, "signer.json");
	}

	make(options: HubKeyOptions = {}): string {
		return hubKey("new", { into: this.into, out: this.out, ...options });
	}

	file(name: string): string {
		return join(this.directory, name);
	}

	async rights(key = this.out): Promise<HubRights> {
		const token = await printedHubToken({ key, subscribe: ["rooms/*"], sub: "alice", ttl: "1m" });
		return readTokenKeys(this.into).verify(token.trimEnd());
	}
}

function modeOf(file: string): string {
	return (statSync(file).mode & 0o777).toString(8);
}

function sluice(...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, [MAIN, ...args]);
}

for (const alg of ALGORITHMS)
	scenario(
		`${alg}: what is written signs, and is verified; only its owner may read a secret`,
		async (scenario) => {
			const place = new Place(scenario);
			const text = place.make({ alg, kid: "mine" });
			assert.match(text, /hub-keys\.json: has the key "mine" now, for the gateway/);
			assert.match(text, /signer\.json: signs tokens; it is a secret\n$/);
			const rights = await place.rights();
			assert.ok(rights.maySubscribe("rooms/1") && !rights.mayPublish("rooms/1"));
			assert.deepEqual([modeOf(place.out), modeOf(place.into)], ["600", alg === "HS256" ? "600" : "644"]);
			const { d, k } = JSON.parse(readFileSync(place.out, "utf8")) as Jwk;
			assert.ok(!text.includes(String(d ?? k)));
			assert.equal(readFileSync(place.into, "utf8").includes(String(d ?? k)), alg === "HS256");
		},
	);

scenario("what is printed is the same: as text for people, as JSON for programs", async (scenario) => {
	for (const alg of ALGORITHMS) {
		const { signer, keys, kid } = JSON.parse(hubKey("new", { alg, json: true })) as Record<string, unknown>;
		const [file, set] = [join(scenario.directory, alg), TokenKeys.parse(JSON.stringify({ keys }), "f")];
		writeFileSync(file, JSON.stringify(signer));
		const token = await printedHubToken({ key: file, publish: ["a"], ttl: "1m", json: true });
		await set.verify((JSON.parse(token) as { token: string }).token);
		assert.match(String(kid), /^[0-9a-f]{12}$/);
		const [, gateways = "", signers = ""] =
			/^For the gateway.*?\n\n(.*)\n\nFor whoever signs tokens.*?\n\n(.*)\n$/s.exec(hubKey("new", { alg })) ??
			[];
		assert.equal(TokenKeys.parse(gateways, "f").size, 1);
		assert.equal((JSON.parse(signers) as Jwk)["alg"], alg);
	}
	assert.deepEqual(
		JSON.parse(
			hubKey("new", {
				json: true,
				kid: "a",
				into: join(scenario.directory, "i"),
				out: join(scenario.directory, "o"),
			}),
		),
		{
			kid: "a",
			alg: "EdDSA",
			into: join(scenario.directory, "i"),
			out: join(scenario.directory, "o"),
		},
	);
});

scenario(
	"keys are added to the gateway's file and removed from it; the rest of it stays, its rights too",
	async (scenario) => {
		const place = new Place(scenario);
		place.make({ kid: "1" });
		chmodSync(place.into, 0o640);
		const set = JSON.parse(readFileSync(place.into, "utf8")) as object;
		writeFileSync(place.into, JSON.stringify({ comment: "ours", ...set }));
		const second = place.file("second.json");
		place.make({ kid: "2", alg: "ES256", out: second });
		await Promise.all([place.rights(), place.rights(second)]);
		assert.match(hubKey("remove", { kid: "1", from: place.into }), /the key "1" is removed/);
		await place.rights(second);
		await assert.rejects(place.rights(), /names a key \(kid\) that is not known/);
		assert.equal(modeOf(place.into), "640");
		assert.equal((JSON.parse(readFileSync(place.into, "utf8")) as Jwk)["comment"], "ours");
		assert.throws(
			() => hubKey("remove", { kid: "1", from: place.into }),
			/no key with the "kid" "1": there are "2"/,
		);
		assert.throws(
			() => hubKey("remove", { kid: "2", from: place.into }),
			/has no other key.*add the next one before/,
		);
		assert.deepEqual(readdirSync(place.directory).toSorted(), [
			"hub-keys.json",
			"second.json",
			"signer.json",
		]);
	},
);

scenario("a link to the gateway's file stays one", async (scenario) => {
	const place = new Place(scenario);
	place.make();
	const link = place.file("link.json");
	symlinkSync(place.into, link);
	place.make({ into: link, out: place.file("second.json") });
	assert.equal(readTokenKeys(place.into).size, 2);
	assert.equal(readTokenKeys(link).size, 2);
});

scenario("nothing is overwritten, and what cannot be finished leaves nothing behind", async (scenario) => {
	const place = new Place(scenario);
	place.make({ kid: "1" });
	const files = (): readonly string[] =>
		readdirSync(place.directory)
			.toSorted()
			.map((name) => `${name} ${statSync(place.file(name)).size} ${statSync(place.file(name)).mtimeMs}`);
	mkdirSync(place.file("folder"));
	writeFileSync(place.file("bad.json"), "{");
	const before = files();
	const fresh = { out: place.file("fresh.json") };
	for (const [options, reason] of [
		[{}, /--out: .*signer\.json is there already: name another file, keys are not overwritten/],
		[{ ...fresh, kid: "1" }, /hub-keys\.json, with the new key: key 2 \("kid": "1"\) has the "kid" of key 1/],
		[{ ...fresh, into: place.file("bad.json") }, /bad\.json: is no JSON/],
		[{ ...fresh, into: place.file("folder") }, /folder: is a directory/],
		[
			{ ...fresh, into: place.file("none/keys.json") },
			/none\/keys\.json: could not be written, and is as it was: ENOENT/,
		],
		[{ out: place.into }, /name the same file: what signs is not the gateway's/],
		[{ ...fresh, kid: "" }, /--kid: a name of 1 to 128 characters/],
		[{ ...fresh, alg: "RS256" }, /--alg: "RS256" is none that tokens are signed by: HS256, EdDSA or ES256/],
		[{ ...fresh, alg: "eddsa" }, /--alg: "eddsa" .*: write EdDSA/],
	] as const)
		assert.throws(() => place.make(options), reason);
	assert.throws(() => hubKey("old", {}), /"old" is nothing to do with a key: sluice hub-key new, or remove/);
	assert.throws(() => hubKey("remove", { kid: "1" }), /which key, and of which file/);
	assert.deepEqual(files(), before);
});

scenario("a token is refused that could not be used, in a sentence", async (scenario) => {
	const place = new Place(scenario);
	place.make();
	const { out: key, into } = place;
	for (const [options, reason] of [
		[{ key, ttl: "1h" }, /good for nothing: say --subscribe, --publish or --sub/],
		[{ key, subscribe: ["a"], ttl: "1" }, /--ttl: a duration needs a unit: write 1s/],
		[{ key, subscribe: ["a"], ttl: "60d" }, /--ttl: 60d is too long: at most 24d/],
		[{ key, subscribe: ["/a"], ttl: "1h" }, /"\/a" is no channel: write prices, rooms\/42/],
		[{ key: into, subscribe: ["a"], ttl: "1h" }, /has public keys only, as the gateway's file should/],
		[{ key: place.file("none"), subscribe: ["a"], ttl: "1h" }, /none: no such file$/],
		[{ key, kid: "x", subscribe: ["a"], ttl: "1h" }, /has no key with the "kid" "x"/],
	] as const)
		await assert.rejects(printedHubToken(options), reason);
});

scenario(
	"the command prints a token alone in its line, and exits 2 for what it does not take",
	async (scenario) => {
		const place = new Place(scenario);
		const made = await sluice("hub-key", "new", "--into", place.into, "--out", place.out, "--alg", "ES256");
		assert.deepEqual([made.status, made.stderr], [0, ""]);
		const signed = await sluice(
			"hub-token",
			"--key",
			place.out,
			"--subscribe",
			"rooms/*",
			"prices",
			"--publish",
			"rooms/1",
			"--sub",
			"alice",
			"--ttl",
			"2h",
		);
		assert.deepEqual([signed.status, signed.stderr], [0, ""]);
		assert.match(signed.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
		const rights = await readTokenKeys(place.into).verify(signed.stdout.trimEnd());
		assert.equal(rights.who, "alice");
		assert.ok(Math.abs(rights.expiresMs - Date.now() - 7_205_000) < 120_000);
		assert.ok(
			rights.maySubscribe("prices") && rights.maySubscribe("rooms/2") && rights.mayPublish("rooms/1"),
		);
		for (const args of [
			["hub-key", "new", "--alg", "none"],
			["hub-key"],
			["hub-key", "new", "--algo", "HS256"],
			["hub-token", "--sub", "a"],
			["hub-token", "--key", place.into, "--sub", "a"],
		]) {
			const { status, stdout, stderr } = await sluice(...args);
			assert.deepEqual([status, stdout], [2, ""], args.join(" "));
			assert.notEqual(stderr, "");
		}
	},
);
