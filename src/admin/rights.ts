/**
 * Who may read, and who may change something. Without tokens whoever reaches the port may read the metrics, and from this machine,
 * or through a Unix socket, also ask the API and change things; but no page in a browser, which any site could have ask an address of the inner network.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isOwnOrigin } from "../parts/hosts.js";
import type { AdminTokens } from "./view.js";

/** Names who asks for a change, for the log. No form of a page can send it, and a script only to its own site. */
export const OPERATOR_HEADER = "sluice-operator";

export interface Refusal {
	readonly status: 401 | 403;
	readonly message: string;
}

const LOOPBACK = /^(127\.|::ffff:127\.|::1$)/;

export interface Asked {
	/** For more than metrics. */
	readonly isApi: boolean;
	/** It is to change something. */
	readonly changes: boolean;
	/** Through a Unix socket: the permissions of its file have said who may. */
	readonly onSocketFile: boolean;
}

/** `undefined`: it may. */
export function refusalOf(
	{ headers, socket }: Pick<IncomingMessage, "headers" | "socket">,
	tokens: AdminTokens,
	{ isApi, changes, onSocketFile }: Asked,
): Refusal | undefined {
	if (!onSocketFile && isOtherSites(headers))
		return { status: 403, message: "a page of another site may ask nothing here" };
	const full = tokens.full !== null && isToken(headers, tokens.full);
	const mayRead = full || (tokens.read !== null && isToken(headers, tokens.read));
	if (tokens.full !== null || tokens.read !== null) {
		if (!mayRead)
			return {
				status: 401,
				message:
					headers.authorization === undefined
						? "a token is needed: Authorization: Bearer TOKEN"
						: "this token is none of admin_tokens",
			};
		if (changes && !full) return { status: 403, message: "this token may read, and not change anything" };
	} else if (isApi && !onSocketFile && !isLocal(socket))
		return {
			status: 403,
			message:
				"the API answers to this machine only: set admin_tokens, and show one, to ask it from elsewhere",
		};
	return changes ? whyNoBrowser(headers) : undefined;
}

/** Who has reset its connection before it was looked at has no address any more, and may have been anybody. */
function isLocal({ remoteAddress }: IncomingMessage["socket"]): boolean {
	return remoteAddress !== undefined && LOOPBACK.test(remoteAddress);
}

function whyNoBrowser({ origin, host, ...headers }: IncomingHttpHeaders): Refusal | undefined {
	if (!isOwnOrigin(origin, host))
		return { status: 403, message: "a page of another site may change nothing here" };
	if (headers[OPERATOR_HEADER] === undefined)
		return {
			status: 403,
			message: `a change needs the header ${OPERATOR_HEADER}, with the name of who asks for it`,
		};
	return undefined;
}

/**
 * A page of another site has had a browser ask. It cannot read the answer, but streams that it opens, in frames or as downloads, would
 * take the places of those who look. Whoever follows a link from there sees what it leads to.
 */
function isOtherSites(headers: IncomingHttpHeaders): boolean {
	const { "sec-fetch-site": site, "sec-fetch-dest": shownAs } = headers;
	return (site === "cross-site" || site === "same-site") && shownAs !== "document";
}

function isToken({ authorization = "" }: IncomingHttpHeaders, token: string): boolean {
	const [, given = ""] = /^bearer +(\S+) *$/i.exec(authorization) ?? [];
	// Digests are of one length, and tell nothing by the time that comparing takes.
	return timingSafeEqual(digestOf(given), digestOf(token));
}

function digestOf(text: string): Buffer {
	return createHash("sha256").update(text).digest();
}
