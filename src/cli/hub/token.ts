/** `sluice hub-token`: a token to try the hub out with, signed here. */
import { parseDuration } from "../../config/units.js";
import { readText } from "../../hub/key-file.js";
import { readSigner, signToken } from "../../hub/sign.js";

export interface HubTokenOptions {
	readonly key: string;
	readonly kid?: string;
	readonly subscribe?: readonly string[];
	readonly publish?: readonly string[];
	readonly sub?: string;
	readonly ttl: string;
	readonly json?: boolean;
}

/**
 * The token alone in its line, so that a shell can take it.
 *
 * @throws Error
 */
export async function printedHubToken({
	key,
	kid,
	json = false,
	...options
}: HubTokenOptions): Promise<string> {
	const { subscribe = [], publish = [], sub: who } = options;
	if (subscribe.length + publish.length === 0 && who === undefined)
		throw new Error("a token that is good for nothing: say --subscribe, --publish or --sub");
	const ttlMs = durationOf(options.ttl);
	const signer = readSigner(readText(key, { pipes: true }), key, kid);
	const nowMs = Date.now();
	const token = await signToken(signer, { subscribe, publish, who, ttlMs }, nowMs);
	return json ? `${JSON.stringify({ token, expires_in_ms: ttlMs })}\n` : `${token}\n`;
}

function durationOf(text: string): number {
	try {
		return parseDuration(text);
	} catch (error) {
		throw new Error(`--ttl: ${(error as Error).message}`);
	}
}
