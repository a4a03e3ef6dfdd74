/** Sets of keys, good and bad. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ALGORITHMS, type Jwk } from "../../src/hub/algorithms.js";
import { KEYS_MAX } from "../../src/hub/keys.js";
import { newKey } from "../../src/hub/new-key.js";
import { readSigner, signToken } from "../../src/hub/sign.js";
import { TokenKeys } from "../../src/hub/tokens.js";
import { KEYS, keysOf, NOW_MS, token } from "./support.js";

const { HS256, EdDSA, ES256 } = KEYS;

/** Refused with a sentence that begins with its place, and shows nothing of a key. */
function refused(text: string, reason: RegExp): void {
	assert.throws(
		() => TokenKeys.parse(text, "keys.json"),
		(error: unknown) => {
			assert.ok(error instanceof Error);
			assert.match(error.message, /^keys\.json: /);
			assert.match(error.message, reason);
			for (const { signer } of Object.values(KEYS))
				for (const part of ["k", "d", "x", "y"])
					if (signer[part] !== undefined) assert.ok(!error.message.includes(String(signer[part])));
			return true;
		},
	);
}

function set(...keys: unknown[]): string {
	return JSON.stringify({ keys });
}

function without(jwk: Jwk, ...names: readonly string[]): Jwk {
	return Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));
}

test("a file that is no JWK Set says what it is, and what is expected", () => {
	refused("", /is empty: sluice hub-key new makes a key/);
	refused(" \n", /is empty/);
	refused("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", /is PEM: keys are JSON here/);
	refused(`{"keys": [${JSON.stringify(HS256.signer)}`, /is no JSON/);
	refused(String(HS256.signer["k"]), /is no JSON/);
	refused(JSON.stringify(EdDSA.verifier), /is one key: put its public half into a set/);
	for (const text of ["[]", "5", "null", "{}", '{"keys":{}}', `[${JSON.stringify(EdDSA.verifier)}]`])
		refused(text, /is no JWK Set: that is {"keys": \[ … \]}/);
	refused(set(), /has no key, so no token could be good: sluice hub-key new makes one/);
	refused(set(EdDSA.verifier, 5), /key 2 is no JSON object/);
	const many = Array.from({ length: KEYS_MAX + 1 }, (_, index) => newKey("HS256", `${index}`).verifier);
	refused(set(...many), /has 33 keys: remove those that nobody signs with any more, 32 are taken/);
	assert.equal(keysOf(...many.slice(1)).size, KEYS_MAX);
});

test("each key fixes its algorithm, and is one of it", () => {
	for (const { verifier } of [HS256, EdDSA, ES256])
		refused(
			set(without(verifier, "alg")),
			/^keys\.json: key 1 \("kid": "\w+"\) does not say what it is for: add "alg", which is HS256, EdDSA or ES256$/,
		);
	for (const alg of ["none", "RS256", "Ed25519", "hs256", "", 5, null])
		refused(set({ ...HS256.verifier, alg }), /has an "alg" that is not taken: HS256, EdDSA or ES256 are/);
	for (const alg of ALGORITHMS)
		for (const other of ALGORITHMS)
			if (other !== alg)
				refused(set({ ...KEYS[alg].verifier, alg: other }), /is no key for \w+: that has "kty": "\w+"/);
	refused(set({ ...EdDSA.verifier, crv: "Ed448" }), /is no key for EdDSA: that has "crv": "Ed25519"/);
	refused(set({ ...EdDSA.verifier, crv: "X25519" }), /that has "crv": "Ed25519"/);
	refused(set({ ...ES256.verifier, crv: "P-384" }), /that has "crv": "P-256"/);
	refused(set({ kty: "RSA", alg: "HS256", n: "AQAB", e: "AQAB" }), /that has "kty": "oct"/);
});

test("a key that is not whole, or too short, is refused", () => {
	const short = Buffer.alloc(31, 7).toString("base64url");
	refused(
		set({ ...HS256.verifier, k: short }),
		/is a secret of 31 bytes: HS256 needs 32 random ones at least, which sluice hub-key new --alg HS256 makes/,
	);
	assert.equal(keysOf({ ...HS256.verifier, k: Buffer.alloc(32, 7).toString("base64url") }).size, 1);
	for (const k of ["", "a b", "a+/=", `${HS256.verifier["k"]}=`, 5, undefined])
		refused(set({ ...HS256.verifier, k }), /has no "k" in base64url/);
	refused(set(without(EdDSA.verifier, "x")), /has no "x" in base64url/);
	refused(set(without(ES256.verifier, "y")), /has no "y" in base64url/);
	refused(set({ ...EdDSA.verifier, x: short }), /is no key of Ed25519/);
	refused(set({ ...ES256.verifier, x: short }), /is no key of P-256/);
	refused(
		set({ ...ES256.verifier, y: ES256.verifier["x"] }),
		/is no key of P-256: its numbers are not whole, or do not belong together/,
	);
});

test("a private key where a public one is enough is refused, and so is one for something else", () => {
	for (const { signer } of [EdDSA, ES256])
		refused(set(signer), /has its private part: remove "d" from this file, only who signs tokens needs it/);
	for (const { verifier } of Object.values(KEYS)) {
		refused(set({ ...verifier, use: "enc" }), /has a "use" other than "sig"/);
		refused(set({ ...verifier, key_ops: ["sign"] }), /has "key_ops" without "verify"/);
		refused(set({ ...verifier, key_ops: "verify" }), /has "key_ops" without "verify"/);
		const plain = { ...without(verifier, "use"), key_ops: ["sign", "verify"], ext: true, comment: "ours" };
		assert.equal(keysOf(plain).size, 1);
	}
});

test("names of keys are names, and nobody has another's", () => {
	for (const kid of ["", 5, null, "a".repeat(129)])
		refused(set({ ...EdDSA.verifier, kid }), /has a "kid" that is no name: 1 to 128 characters/);
	refused(
		set(EdDSA.verifier, ES256.verifier, { ...HS256.verifier, kid: "EdDSA" }),
		/^keys\.json: key 3 \("kid": "EdDSA"\) has the "kid" of key 1: give one of them another, or remove it$/,
	);
	const nameless = [EdDSA, ES256, HS256].map(({ verifier }) => without(verifier, "kid"));
	assert.equal(keysOf(...nameless, ...nameless).size, 6);
});

test("all that is wrong is told at once", () => {
	refused(
		set({ ...EdDSA.verifier, alg: "none" }, HS256.verifier, without(ES256.signer, "kid")),
		/^keys\.json: key 1 .*not taken.*; keys\.json: key 3 has its private part/,
	);
});

test("what signs is found in a JWK, and in a set", async () => {
	const contents = { subscribe: ["a"], publish: [], ttlMs: 1_000 };
	for (const [text, kid, keys] of [
		[JSON.stringify(EdDSA.signer), undefined, EdDSA],
		[set(ES256.verifier, EdDSA.signer), undefined, EdDSA],
		[set(HS256.verifier, EdDSA.verifier), undefined, HS256],
		[set(HS256.signer, EdDSA.signer, ES256.signer), "ES256", ES256],
	] as const) {
		const signed = await signToken(readSigner(text, "f", kid), contents, NOW_MS);
		await keysOf(keys.verifier).verify(signed, NOW_MS);
	}
	for (const [text, kid, reason] of [
		[set(EdDSA.verifier, ES256.verifier), undefined, /has public keys only/],
		[
			set(HS256.signer, EdDSA.signer),
			undefined,
			/several keys that sign: say which by --kid: "HS256", "EdDSA"/,
		],
		[set(HS256.signer, EdDSA.verifier), "EdDSA", /no key with the "kid" "EdDSA": there are "HS256"/],
		[JSON.stringify({ ...EdDSA.signer, x: "AAAA" }), undefined, /is no key of Ed25519/],
		[JSON.stringify({ ...EdDSA.signer, d: ES256.signer["d"] }), undefined, /do not belong together/],
		[JSON.stringify({ ...ES256.signer, d: EdDSA.signer["d"] }), undefined, /do not belong together/],
		[JSON.stringify(without(EdDSA.signer, "alg")), undefined, /does not say what it is for/],
		["{}", undefined, /is no key: a JWK is expected/],
		[set(), undefined, /is no key: a JWK is expected/],
		["5", undefined, /is no key: a JWK is expected/],
		["", undefined, /is empty/],
	] as const)
		assert.throws(() => readSigner(text, "f", kid), reason);
});

test("a token is not signed that could not be taken", async () => {
	const signer = readSigner(JSON.stringify(HS256.signer), "f");
	const asked = { subscribe: ["a"], publish: [], ttlMs: 1_000 };
	await assert.rejects(
		signToken(signer, { ...asked, subscribe: ["a//b"] }),
		/"a\/\/b" is no channel: write prices/,
	);
	await assert.rejects(signToken(signer, { ...asked, who: "" }), /sub is no name/);
	const names = (count: number, length: number): string[] =>
		Array.from({ length: count }, (_, index) => `${index}`.padStart(length, "x"));
	await assert.rejects(signToken(signer, { ...asked, publish: names(65, 2) }), /more than 64 channels/);
	await assert.rejects(
		signToken(signer, { ...asked, publish: names(64, 128) }),
		/the token has \d+ bytes, and may have 8192/,
	);
});

test("a key has what its algorithm needs and nothing else, and two are never the same", () => {
	for (const alg of ALGORITHMS) {
		const [one, other] = [newKey(alg, "a"), newKey(alg, "a")];
		assert.notDeepEqual(one, other);
		assert.deepEqual("d" in one.verifier, false);
		assert.deepEqual(
			Object.keys(one.verifier).filter((name) => !(name in one.signer)),
			[],
		);
		assert.ok(token(alg, undefined, undefined, one) !== token(alg, undefined, undefined, other));
	}
});
