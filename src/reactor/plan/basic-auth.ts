/** Who may take a route that asks for a name and a password. */
import { createHash, timingSafeEqual } from "node:crypto";
import { type KeptPassword, macOf, type PasswordLists, readHash } from "../../config/passwords.js";

const COLON = 0x3a;

/** Compared with for a name that is not there, so that an answer takes as long for it. Nothing hashes to it that anybody knows. */
const NOBODY: KeptPassword = {
	salt: Buffer.alloc(16),
	mac: createHash("sha256").update("no password has this").digest(),
};

export class BasicAuth {
	/** By the bytes of the name, one character each. */
	readonly #lists: readonly ReadonlyMap<string, KeptPassword>[];

	constructor(lists: PasswordLists) {
		this.#lists = lists.map(
			(list) => new Map(list.map(({ user, hash }) => [Buffer.from(user).toString("latin1"), readHash(hash)])),
		);
	}

	/** `credentials`: name, colon, password. All lists must have them. */
	admits(credentials: Buffer): boolean {
		const user = credentials.toString("latin1", 0, Math.max(0, credentials.indexOf(COLON)));
		let isGood = true;
		for (const list of this.#lists) {
			const kept = list.get(user) ?? NOBODY;
			const isSame = timingSafeEqual(macOf(kept.salt, credentials), kept.mac);
			isGood = isGood && isSame && kept !== NOBODY;
		}
		return isGood;
	}
}
