/** What an HTTP health check asks and expects, as it stands in the file: `status: 200-399`. */
import type { HttpEndpoint } from "./address.js";
import type { StatusRange } from "./config.js";
import { InvalidValue } from "./errors.js";

/** Final answers: what is below 200 announces another one (RFC 9110, 15). */
export const STATUS_MIN = 200;
export const STATUS_MAX = 599;

const EXPECTED = `expected a status from ${STATUS_MIN} to ${STATUS_MAX} such as 204, or a range such as 200-399`;

/** For the JSON Schema: what an editor accepts while typing. */
export const STATUS_RANGE_PATTERN = "^[2-5][0-9][0-9](-[2-5][0-9][0-9])?$";

/**
 * `200-399`, or one status in quotes.
 *
 * @throws InvalidValue
 */
export function parseStatusRange(text: string): StatusRange {
	const [, first, last = first] = /^([0-9]{3})(?:-([0-9]{3}))?$/.exec(text) ?? [];
	const from = Number(first);
	const to = Number(last);
	const [, hundreds] = /^([2-5])xx$/i.exec(text) ?? [];
	if (hundreds !== undefined) throw new InvalidValue(`write ${hundreds}00-${hundreds}99 instead of ${text}`);
	if (!(from >= STATUS_MIN && to <= STATUS_MAX)) throw new InvalidValue(`${EXPECTED}; found "${text}"`);
	if (from > to) throw new InvalidValue(`no status is in ${text}: write ${to}-${from}`);
	return { from, to };
}

/** What Host says where the file does not: the authority of the upstream's first URL (RFC 9110, 7.2). */
export function hostFieldOf({ endpoint, throughTls }: HttpEndpoint): string {
	// A socket has no name; this is what curl sends there, too.
	if (endpoint.kind === "unix") return "localhost";
	const host = endpoint.kind === "name" ? endpoint.host : endpoint.address;
	const literal = endpoint.kind === "ip" && endpoint.family === 6 ? `[${host}]` : host;
	return endpoint.port === (throughTls ? 443 : 80) ? literal : `${literal}:${endpoint.port}`;
}
