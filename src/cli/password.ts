/** `sluice password`: what a file has of a password, and a password where somebody wants one made. */
import type { Readable } from "node:stream";
import { hashOf, newPassword, PASSWORD_MAX_BYTES, parseUser, whyNoPassword } from "../config/passwords.js";

export interface PasswordOptions {
	/** It is chosen by somebody, and comes on standard input. */
	readonly stdin?: boolean;
	readonly json?: boolean;
}

/**
 * What is printed.
 *
 * @throws Error for a name or a password that is none
 */
export async function printedPassword(
	name: string,
	{ stdin = false, json = false }: PasswordOptions,
	input: Readable = process.stdin,
): Promise<string> {
	const user = parseUser(name.normalize("NFC"));
	const password = stdin ? await firstLine(input) : newPassword();
	const why = whyNoPassword(password);
	if (why !== undefined) throw new Error(why);
	const hash = hashOf(user, password);
	if (json) return `${JSON.stringify({ name: user, hash, ...(stdin ? {} : { password }) })}\n`;
	return [
		...(stdin
			? []
			: [`password: ${password}`, "", "It is shown this once: give it to whoever is to come in with it."]),
		"In the file, on a route, on an agent, or on a tunnel in the agent's own file:",
		"",
		`  basic_auth: { ${PLAIN.test(user) ? user : JSON.stringify(user)}: ${hash} }`,
		"",
		"For sluice tunnel:",
		"",
		`  --basic-auth '${user.replaceAll("'", "'\\''")}:${hash}'`,
		"",
	].join("\n");
}

/** Needs no quotes as a key of YAML. */
const PLAIN = /^(?!(?:on|off|yes|no|y|n|true|false|null)$)[a-z][a-z0-9._-]*$/i;

/** Without its end. What stands behind it is not read. */
async function firstLine(input: Readable): Promise<string> {
	let text = Buffer.alloc(0);
	for await (const chunk of input) {
		text = Buffer.concat([text, Buffer.from(chunk as Uint8Array)]);
		if (text.includes("\n") || text.length > 2 * PASSWORD_MAX_BYTES) break;
	}
	const [line = ""] = text.toString("utf8").split(/\r?\n/, 1);
	return line;
}
