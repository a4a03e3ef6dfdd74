/** Which fields of requests and answers carry what lets somebody in. */

const NAMES: ReadonlySet<string> = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"]);

/** Names that services make up for the same purpose: X-Api-Key, X-Auth-Token, X-Amz-Security-Token, X-Hub-Signature. */
const LIKE_SECRETS = /api-?key|access-?key|auth|token|secret|passw|session|signature|credential/;

/** Challenges and the like, which are told to everybody. */
const NO_SECRETS: ReadonlySet<string> = new Set([
	"www-authenticate",
	"proxy-authenticate",
	"access-control-allow-credentials",
]);

export function isSecret(name: string): boolean {
	const lower = name.toLowerCase();
	if (NAMES.has(lower)) return true;
	return LIKE_SECRETS.test(lower) && !NO_SECRETS.has(lower);
}
