/** `sluice hub-key`: new keys that tokens of the hub are signed with, each with its half for the gateway, and old ones taken away. */
import { chmodSync, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { ALGORITHM_NAMES, ALGORITHMS, isAlgorithm, type Jwk } from "../../hub/algorithms.js";
import { readText } from "../../hub/key-file.js";
import { isKid, parseJson, readKeySet } from "../../hub/keys.js";
import { type NewKey, newKey, newKid } from "../../hub/new-key.js";

export interface HubKeyOptions {
	readonly alg?: string;
	readonly kid?: string;
	/** The gateway's file, to which the key is added. */
	readonly into?: string;
	/** Where what signs is written. */
	readonly out?: string;
	/** The gateway's file, from which a key is removed. */
	readonly from?: string;
	readonly json?: boolean;
}

/**
 * Does what is asked for, and returns what is to be printed.
 *
 * @throws Error: nothing has changed
 */
export function hubKey(action: string, options: HubKeyOptions): string {
	if (action === "new") return madeHubKey(options);
	if (action === "remove") return removedHubKey(options);
	throw new Error(`"${action}" is nothing to do with a key: sluice hub-key new, or remove`);
}

/**
 * Makes a key, writes what is to be written, and returns what is to be printed.
 *
 * @throws Error: nothing was made, and neither file has changed
 */
function madeHubKey({ alg = "EdDSA", kid = newKid(), into, out, json = false }: HubKeyOptions): string {
	if (!isAlgorithm(alg))
		throw new Error(`--alg: "${alg}" is none that tokens are signed by: ${hintFor(alg)}`);
	if (!isKid(kid)) throw new Error("--kid: a name of 1 to 128 characters is expected");
	if (into !== undefined && out !== undefined && resolve(into) === resolve(out))
		throw new Error("--into and --out name the same file: what signs is not the gateway's");
	const made = newKey(alg, kid);
	const set = into === undefined ? undefined : setWith(made.verifier, into);
	// The signer's first: what the gateway takes is of no use without it, and it is the one that nobody must overwrite.
	if (out !== undefined) writeNew(out, lines(made.signer));
	try {
		// Public keys may be read by everybody, and are read by the user that the gateway runs as.
		if (into !== undefined && set !== undefined) replace(into, set, alg === "HS256" ? 0o600 : 0o644);
	} catch (error) {
		if (out !== undefined) rmSync(out, { force: true });
		throw error;
	}
	return json ? `${JSON.stringify(asJson(made, { into, out }))}\n` : asText(made, { into, out });
}

function hintFor(alg: string): string {
	const meant = ALGORITHMS.find((each) => each.toLowerCase() === alg.toLowerCase());
	return meant === undefined ? ALGORITHM_NAMES : `write ${meant}`;
}

interface Files {
	readonly into: string | undefined;
	readonly out: string | undefined;
}

/** What went to a file is not shown. */
function asJson({ signer, verifier }: NewKey, { into, out }: Files): unknown {
	return {
		kid: signer["kid"],
		alg: signer["alg"],
		...(into === undefined ? { keys: [verifier] } : { into }),
		...(out === undefined ? { signer } : { out }),
	};
}

function asText({ signer, verifier }: NewKey, { into, out }: Files): string {
	const isSecret = signer["alg"] === "HS256";
	const name = JSON.stringify(signer["kid"]);
	return [
		into === undefined
			? `For the gateway, in the file that hub.keys names${isSecret ? ", which is a secret then" : ""}:\n\n${lines({ keys: [verifier] })}`
			: `${into}: has the key ${name} now, for the gateway${isSecret ? "; this file is a secret" : ""}\n`,
		out === undefined
			? `\nFor whoever signs tokens. It is a secret${isSecret ? "" : ", and shown this once"}:\n\n${lines(signer)}`
			: `${out}: signs tokens; it is a secret\n`,
	].join("");
}

function lines(value: unknown): string {
	return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * Takes a key from the gateway's file.
 *
 * @throws Error: the file is as it was
 */
function removedHubKey({ kid, from, json = false }: HubKeyOptions): string {
	if (from === undefined || kid === undefined)
		throw new Error("which key, and of which file: sluice hub-key remove --kid NAME --from FILE");
	const set = readSet(from);
	const keys = set.keys.filter((key) => key["kid"] !== kid);
	const names = set.keys.map((key) => JSON.stringify(key["kid"] ?? "(none)")).join(", ");
	if (keys.length === set.keys.length)
		throw new Error(`${from}: has no key with the "kid" ${JSON.stringify(kid)}: there are ${names}`);
	if (keys.length === 0)
		throw new Error(`${from}: has no other key, and without one no token is good: add the next one before`);
	replace(from, lines({ ...set, keys }));
	return json
		? `${JSON.stringify({ from, removed: kid })}\n`
		: `${from}: the key ${JSON.stringify(kid)} is removed\n`;
}

/** The set of that file and this key, as the file is to be. A file that is not there has none. */
function setWith(verifier: Jwk, file: string): string {
	if (!existsSync(file)) return lines({ keys: [verifier] });
	const set = readSet(file);
	const whole = lines({ ...set, keys: [...set.keys, verifier] });
	readKeySet(whole, `${file}, with the new key`);
	return whole;
}

/** @throws Error: it is none that a gateway takes */
function readSet(file: string): { readonly keys: readonly Jwk[] } {
	const text = readText(file, { pipes: false });
	readKeySet(text, file);
	return parseJson(text, file) as { readonly keys: readonly Jwk[] };
}

/** @throws Error: there is one of that name already, which may be somebody's only copy */
function writeNew(file: string, text: string): void {
	try {
		writeFileSync(file, text, { mode: 0o600, flag: "wx" });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
		throw new Error(`--out: ${file} is there already: name another file, keys are not overwritten`);
	}
}

/** At once: a gateway that looks at this moment sees the old set or the new one. `newMode`: of a file that was not there. */
function replace(path: string, text: string, newMode = 0o600): void {
	// Where it is a link, what it leads to is replaced.
	const file = existsSync(path) ? realpathSync(path) : path;
	const beside = `${file}.${process.pid}.new`;
	try {
		writeFileSync(beside, text, { mode: 0o600, flag: "wx" });
		chmodSync(beside, existsSync(file) ? statSync(file).mode & 0o777 : newMode);
		renameSync(beside, file);
	} catch (error) {
		rmSync(beside, { force: true });
		throw new Error(`${path}: could not be written, and is as it was: ${(error as Error).message}`);
	}
}
