/** `admin` and `admin_tokens`: where the gateway is asked and steered, and by whom. */

import { z } from "zod";
import { parseAdmin } from "./address.js";
import * as defaults from "./defaults.js";
import { certificateFiles, expected, parsed, section, yesNo } from "./schema-values.js";
import { offWord } from "./switches.js";

const ADDRESS = "an address such as 127.0.0.1:9090";

const address = (what: string) =>
	parsed(what, parseAdmin, { examples: ["127.0.0.1:9090", "unix:/run/sluice/admin.sock"] }, (input) =>
		typeof input === "number" ? `: write 127.0.0.1:${input}` : "",
	);

/** What goes together is in `admin-rules.ts`. */
const block = section({
	listen: address(ADDRESS).describe("The address, as it stands without a mapping."),
	tls: certificateFiles("admin")
		.optional()
		.describe("HTTPS with this certificate. Needed on every address but loopback."),
	mode: z
		.string({ error: expected('permissions in quotes, such as "0660"') })
		.regex(/^0?[0-7]{3}$/, { error: expected('permissions in quotes, such as "0660"') })
		.meta({ examples: ["0600", "0660"] })
		.optional()
		.meta({
			description: "Permissions of a Unix socket's file: who may write to it, may connect.",
			default: defaults.adminMode,
		}),
	insecure: yesNo().optional().meta({
		description:
			"In the open on an address that is not loopback: who listens in reads tokens and all that is told.",
		default: false,
	}),
});

export const admin = z.union([offWord(), address(`${ADDRESS}, or off`), block], {
	error: expected(`${ADDRESS}, or off`, (input) =>
		typeof input === "number" ? `: write 127.0.0.1:${input}` : input === true ? ": write 127.0.0.1:9090" : "",
	),
});

/** Shorter ones are guessed. */
const TOKEN_MIN = 16;

const token = () =>
	z
		.string({ error: expected("a text of at least 16 letters and digits") })
		.min(TOKEN_MIN, {
			error: `too short to be a secret: at least ${TOKEN_MIN} characters; openssl rand -hex 16 makes one`,
		})
		.regex(/^[\x21-\x7e]*$/, { error: "a token stands in a header: use visible ASCII without spaces" })
		.optional();

export const adminTokens = section({
	full: token().describe("Whoever shows it may ask for everything, and change everything."),
	read: token().describe("Whoever shows it may ask, and change nothing."),
});
