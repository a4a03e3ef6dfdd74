/** Values of the section `hub`: names and patterns of channels, and browsers' origins. */
import { InvalidValue } from "./errors.js";

const PART = /^[A-Za-z0-9._~:-]+$/;
/** A name, or a pattern, has so many characters at most, each of which is a byte. */
export const CHANNEL_MAX = 128;

/** For the JSON Schema. */
export const CHANNEL_NAME_PATTERN = "^[A-Za-z0-9._~:-]+(/[A-Za-z0-9._~:-]+)*$";

const MARKS = 'letters, digits and any of ". _ - ~ :"';

/**
 * A channel: `prices`, `rooms/42`.
 *
 * @throws InvalidValue
 */
export function parseChannelName(text: string): string {
	const parts = channelParts(text);
	if (parts.some((part) => part === "*" || part === "**"))
		throw new InvalidValue(`"${text}" is for several channels, and one stands here: write its whole name`);
	for (const part of parts) checkPart(part, text);
	return text;
}

/**
 * Channels: a name, or one in which `*` is for one part, and, as the last part, `**` for all that follow (at least one).
 *
 * @throws InvalidValue
 */
export function parseChannelPattern(text: string): string {
	const parts = channelParts(text);
	for (const [index, part] of parts.entries()) {
		if (part === "*" || (part === "**" && index === parts.length - 1)) continue;
		if (part === "**")
			throw new InvalidValue(`"${text}": "**" is for all that follow, and stands at the end: write * here`);
		if (part === "#" || part === ">")
			throw new InvalidValue(`"${text}": all that follow are "**" here, and a single part is "*"`);
		if (part === "+") throw new InvalidValue(`"${text}": a part that may be anything is "*" here`);
		if (part.includes("*"))
			throw new InvalidValue(`"${text}": a star is for a whole part of a name, such as "rooms/*"`);
		checkPart(part, text);
	}
	return text;
}

function channelParts(text: string): string[] {
	if (text.length > CHANNEL_MAX)
		throw new InvalidValue(`"${text}" is too long for a channel: at most ${CHANNEL_MAX} characters`);
	const parts = text.split("/");
	const named = parts.filter((part) => part !== "");
	if (named.length === 0) throw new InvalidValue(`expected a channel such as prices, found "${text}"`);
	if (named.length < parts.length)
		throw new InvalidValue(
			`"${text}" has an empty part: a slash stands only between two, write ${named.join("/")}`,
		);
	return parts;
}

function checkPart(part: string, text: string): void {
	if (!PART.test(part))
		throw new InvalidValue(
			`"${text}" is no channel: a name is made of parts such as rooms/42, of ${MARKS}, divided by "/"`,
		);
}

/** Every channel that `later` matches, `earlier` does, too. */
export function coversChannels(earlier: string, later: string): boolean {
	const [over, under] = [earlier.split("/"), later.split("/")];
	const takesRest = over.at(-1) === "**";
	if (takesRest ? under.length < over.length : under.length !== over.length) return false;
	return over.every((part, index) => {
		if (part === "**") return true;
		return part === "*" ? under[index] !== "**" : part === under[index];
	});
}

/** What every browser's request is let through with. */
export const ANY_ORIGIN = "*";

/**
 * What a browser says in Origin (RFC 6454, 6.2): `https://example.com`, and a port that is not the usual one. In lower case. Or `*`.
 *
 * @throws InvalidValue
 */
export function parseOrigin(text: string): string {
	if (text === ANY_ORIGIN) return text;
	const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text) ?? [];
	if (rest.includes("*"))
		throw new InvalidValue(`"${text}": an origin has no patterns; write each one, or "*" alone for all`);
	if (scheme === "" || rest === "")
		throw new InvalidValue(
			`expected an origin such as https://example.com, found "${text}"${/^[\w.-]+\.[a-z]+(:\d+)?$/i.test(text) ? `: write https://${text}` : ""}`,
		);
	const [host = ""] = rest.split(/[/?#]/, 1);
	if (host === "" || /[\s@,"\\]/.test(host) || !URL.canParse(`${scheme}://${host}`))
		throw new InvalidValue(`"${text}" is no origin, such as https://example.com`);
	// Browsers leave out the usual port of schemes that they know; of others there is nothing to leave out.
	const { origin } = new URL(`${scheme}://${host}`);
	const meant = origin === "null" ? `${scheme}://${host}`.toLowerCase() : origin;
	if (host !== rest) throw new InvalidValue(`"${text}": an origin has no path; write ${meant}`);
	if (scheme.toLowerCase() === "ws" || scheme.toLowerCase() === "wss")
		throw new InvalidValue(
			`"${text}": it is the page that has the origin; write ${meant.replace(/^ws/, "http")}`,
		);
	return meant;
}
