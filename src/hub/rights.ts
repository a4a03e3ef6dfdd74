/** What a token's claims say: who somebody is, what he may, and until when. */
import type { JWTPayload } from "jose";
import { ChannelPattern } from "../channels/names.js";
import { TokenError } from "./token-error.js";

/** Clocks of two machines may differ by so much: a token is good from so long before its `nbf` until so long after its `exp`. */
export const CLOCK_TOLERANCE_S = 5;

/** Each is tried at each subscription, and kept as long as a connection lives. */
export const PATTERNS_MAX = 64;

/** Of `sub`, which others may be shown. */
export const WHO_MAX_BYTES = 128;

/** What `aud` has to name, where a token has one (RFC 7519, 4.1.3). */
export const AUDIENCE = "sluice-hub";

/** The year 9999. What is above counts milliseconds. */
const LATEST_S = 253_402_300_799;

/** What somebody may who has brought a good token. */
export interface HubRights {
	/** The token's `sub`; `null`: it says nobody. */
	readonly who: string | null;
	/** Of the key that its token was verified by (`VerifyKey.thumbprint`). */
	readonly key: string;
	/** When they end (`Date.now()`): never in the past when they are given, and years away where the token says so. */
	readonly expiresMs: number;
	maySubscribe(channel: string): boolean;
	mayPublish(channel: string): boolean;
}

/**
 * The rights of claims whose signature, `exp` and `nbf` are good.
 *
 * @param key the thumbprint of the key that signed them
 * @throws TokenError
 */
export function rightsOf(claims: JWTPayload, nowMs: number, key: string): HubRights {
	checkAudience(claims.aud);
	const expiresMs = expiryOf(claims.exp, nowMs);
	const who = whoOf(claims.sub);
	const { subscribe, publish } = hubClaim(claims["hub"]);
	return new Rights(who, key, expiresMs, patternsOf("subscribe", subscribe), patternsOf("publish", publish));
}

class Rights implements HubRights {
	readonly who: string | null;
	readonly key: string;
	readonly expiresMs: number;
	readonly #subscribe: readonly ChannelPattern[];
	readonly #publish: readonly ChannelPattern[];

	constructor(
		who: string | null,
		key: string,
		expiresMs: number,
		subscribe: readonly ChannelPattern[],
		publish: readonly ChannelPattern[],
	) {
		this.who = who;
		this.key = key;
		this.expiresMs = expiresMs;
		this.#subscribe = subscribe;
		this.#publish = publish;
	}

	maySubscribe(channel: string): boolean {
		return this.#subscribe.some((pattern) => pattern.matches(channel));
	}

	mayPublish(channel: string): boolean {
		return this.#publish.some((pattern) => pattern.matches(channel));
	}
}

function checkAudience(audience: unknown): void {
	if (audience === undefined) return;
	if (![audience].flat().includes(AUDIENCE))
		throw new TokenError(`the token is for somebody else: its claim aud does not name ${AUDIENCE}`);
}

function expiryOf(exp: unknown, nowMs: number): number {
	if (typeof exp !== "number")
		throw new TokenError("the token never ends: it needs a claim exp, in seconds since 1970");
	if (exp > LATEST_S)
		throw new TokenError("the token's claim exp counts seconds since 1970, not milliseconds");
	const expiresMs = Math.floor((exp + CLOCK_TOLERANCE_S) * 1_000);
	if (expiresMs <= nowMs) throw new TokenError(EXPIRED);
	return expiresMs;
}

export const EXPIRED = "the token has expired: come with a new one";

/** Control characters have no place in what others are shown. */
const CONTROL = /\p{Cc}/u;

function whoOf(sub: unknown): string | null {
	if (sub === undefined) return null;
	if (typeof sub === "string" && sub !== "" && Buffer.byteLength(sub) <= WHO_MAX_BYTES && !CONTROL.test(sub))
		return sub;
	throw new TokenError(
		`the token's claim sub is no name: 1 to ${WHO_MAX_BYTES} bytes, no control characters`,
	);
}

/** What it does not know it does not take: a misspelt key would be a right that is missing, and nobody would say why. */
function hubClaim(claim: unknown): { readonly subscribe?: unknown; readonly publish?: unknown } {
	if (claim === undefined) throw new TokenError("the token has no claim hub, which says what it is good for");
	if (typeof claim !== "object" || claim === null || Array.isArray(claim))
		throw new TokenError("the token's claim hub is no object with subscribe and publish");
	if (Object.keys(claim).some((key) => key !== "subscribe" && key !== "publish"))
		throw new TokenError("the token's claim hub has more than subscribe and publish");
	return claim;
}

function patternsOf(right: "subscribe" | "publish", claim: unknown): readonly ChannelPattern[] {
	if (claim === undefined) return [];
	if (!Array.isArray(claim)) throw new TokenError(`the token's claim hub.${right} is no list of channels`);
	if (claim.length > PATTERNS_MAX)
		throw new TokenError(
			`the token's claim hub.${right} has more than ${PATTERNS_MAX} channels: use a star, such as rooms/*`,
		);
	return claim.map((text: unknown, index) => {
		const pattern = typeof text === "string" ? ChannelPattern.parse(text) : undefined;
		if (pattern === undefined)
			throw new TokenError(
				`entry ${index + 1} of the token's claim hub.${right} is no channel, such as prices or rooms/*`,
			);
		return pattern;
	});
}
