/** `basic_auth`: names, and hashes of passwords. */

import { z } from "zod";
import { InvalidValue } from "./errors.js";
import { HASH_PATTERN, type PasswordEntry, parseHash, parseUser } from "./passwords.js";
import { expected } from "./schema-values.js";

/** A tunnel's agent sends its own in one message. */
export const PASSWORDS_MAX = 64;

const MAPPING = "a mapping of names to what sluice password prints, such as { alice: pw1_… }";

/** An error of the parser as an issue. Never with what stood there: it may be a password. */
const checkedBy = (parse: (text: string) => string, what: string) =>
	z
		.string({
			error: ({ input }) =>
				input === undefined || input === null ? `expected ${what}` : `expected ${what}, which is a text`,
		})
		.superRefine((text, context) => {
			try {
				parse(text);
			} catch (error) {
				if (!(error instanceof InvalidValue)) throw error;
				context.addIssue({ code: "custom", message: error.message });
			}
		});

export const passwords = () =>
	z
		.record(
			checkedBy(parseUser, "a name such as alice").meta({ pattern: "^[^:]{1,128}$" }),
			checkedBy(parseHash, "what sluice password has printed").meta({ pattern: HASH_PATTERN.source }),
			{ error: expected(MAPPING) },
		)
		.meta({ minProperties: 1, maxProperties: PASSWORDS_MAX })
		.refine((entries) => Object.keys(entries).length > 0, {
			error: "nobody could come in: write at least one name, or remove the key",
		})
		.refine((entries) => Object.keys(entries).length <= PASSWORDS_MAX, {
			error: `more than ${PASSWORDS_MAX} names: let the server ask`,
		})
		.transform((entries): PasswordEntry[] =>
			Object.entries(entries).map(([user, hash]) => ({ user: user.normalize("NFC"), hash })),
		);
