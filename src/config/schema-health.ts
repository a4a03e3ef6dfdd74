/** How it is checked whether something is up: the same keys for an upstream's addresses and for a tunnel's local service. */

import { z } from "zod";
import { parseSentHost } from "./address.js";
import { parseProbe } from "./datagram-values.js";
import * as defaults from "./defaults.js";
import { parseStatusRange, STATUS_MAX, STATUS_MIN, STATUS_RANGE_PATTERN } from "./http-check.js";
import { expected, onOff, optionalDuration, parsed, section, whole } from "./schema-values.js";
import { offWord, onWord } from "./switches.js";
import { formatDuration } from "./units.js";

/** Health counters need no more, and a typing error would keep a dead address in for hours. */
const STREAK_MAX = 1_000;

export const streak = (value: number, description: string) =>
	whole(1, STREAK_MAX).optional().meta({ description, default: value });

const STATUS_EXPECTED = `a status such as 204, a range such as 200-399, or a list of them`;

const status = () =>
	z.union(
		[
			whole(STATUS_MIN, STATUS_MAX).transform((code) => ({ from: code, to: code })),
			parsed(STATUS_EXPECTED, parseStatusRange, { pattern: STATUS_RANGE_PATTERN, examples: ["200-399"] }),
		],
		{ error: expected(STATUS_EXPECTED) },
	);

const path = () =>
	z
		.string({ error: expected("a path such as /healthz") })
		.regex(/^\/[\x21\x24-\x3b\x3d\x3f-\x5f\x61-\x7e]*$/, {
			error: expected('a path such as /healthz, beginning with a slash, without "#"'),
		})
		.meta({ examples: ["/healthz"] });

export const health = section({
	interval: optionalDuration(defaults.health.intervalMs, "Between two checks of an address."),
	timeout: optionalDuration(
		defaults.health.timeoutMs,
		`Until the address accepts, and with \`path\` until the head of its answer is there; then the check has failed. At most the interval. Default: ${formatDuration(defaults.health.timeoutMs)}, or a shorter interval.`,
	),
	fall: streak(defaults.health.fall, "Failures in a row until an address is down: it gets no new session."),
	rise: streak(defaults.health.rise, "Successes in a row until it is up again."),
	path: path()
		.optional()
		.describe(
			"With http: each check is a GET of this path over a connection of its own, and good when its status is. Without: a TCP connection that is opened and closed again.",
		),
	status: z
		.union(
			[
				status(),
				z
					.array(status())
					.min(1, { error: "no status is in an empty list: remove the key, or write 200-399" }),
			],
			{ error: expected(STATUS_EXPECTED) },
		)
		.optional()
		.meta({
			description: "With path: answers that are good. A status, a range such as 200-399, or a list of them.",
			default: "200-399",
		}),
	host: parsed("a host such as app.example.com", parseSentHost, {
		examples: ["app.example.com", "app.example.com:8080"],
	})
		.optional()
		.describe(
			"With path: what the Host field of the check says. Default: the upstream's `host`, or that of its first URL; of a tunnel its `host_header`, or the local service's own.",
		),
});

/** Of an upstream: it may take datagrams. */
export const upstreamHealth = section({
	...health.shape,
	send: parsed(
		'what is sent, such as "ping" or hex:0001',
		parseProbe,
		{ examples: ["ping", "hex:00010000"] },
		(input) => (typeof input === "number" || typeof input === "boolean" ? ": put it in quotes" : ""),
	)
		.optional()
		.describe(
			"With udp: the datagram of a check, as a text, or as bytes in hex behind `hex:`. It is good when any datagram comes back within `timeout`.",
		),
});

/** A key that switches such checks on, or says how they are made. */
export const checked = <Section extends z.ZodType>(how: Section, description: string) =>
	z
		.union([onWord(), offWord(), how], {
			error: expected("on, off or a mapping such as { interval: 5s, timeout: 2s }", onOff),
		})
		.optional()
		.meta({ description, default: "off" });

/** The same, where a path alone is enough: it stands for `{ path: … }`. */
export const checkedByPath = () =>
	z
		.union(
			[onWord(), offWord(), path().transform((text): z.output<typeof health> => ({ path: text })), health],
			{
				error: expected("on, off, a path such as /healthz, or a mapping such as { interval: 5s }", onOff),
			},
		)
		.optional();
