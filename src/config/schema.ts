/**
 * The shape of `sluice.yaml`: keys, types and units, each value on its own. What holds between values is in
 * `rules.ts`; what stands in for absent ones is in `defaults.ts`. The JSON Schema that editors use is made
 * from this.
 *
 * Input is the file; output is the same tree with units, names and addresses parsed.
 */

import { z } from "zod";
import { LISTENERS_MAX, REACTORS_MAX } from "./bounds.js";
import * as defaults from "./defaults.js";
import { parsePeerName } from "./names.js";
import { admin, adminTokens } from "./schema-admin.js";
import { keepalive, ledger, limits, log, sockets } from "./schema-general.js";
import { hub } from "./schema-hub.js";
import { listener } from "./schema-listeners.js";
import { withReferences } from "./schema-references.js";
import { timeouts } from "./schema-timeouts.js";
import { tunnels } from "./schema-tunnels.js";
import { endpoint, upstream, upstreamName } from "./schema-upstreams.js";
import { dashed, expected, optionalDuration, parsed, section, whole, yesNo } from "./schema-values.js";

const ADMIN_HOSTS_MAX = 64;

export const configSchema = section({
	admin: admin.optional().meta({
		description:
			"/metrics, /healthz and /readyz, and the API that operators steer with. Whoever reaches it sees what goes where: bind loopback, or a Unix socket, or show a certificate. Needs a restart; certificates do not.",
		default: "off",
	}),
	admin_hosts: z
		.array(parsed("a host name such as sluice.internal", parsePeerName, { examples: ["sluice.internal"] }), {
			error: expected("a list of host names such as [sluice.internal]"),
		})
		.max(ADMIN_HOSTS_MAX, { error: `more than ${ADMIN_HOSTS_MAX} names: each request is compared with all` })
		.optional()
		.describe(
			"Names that the admin port answers to, beside its addresses and localhost. Others get 403, because any web page can have a browser ask under a name of its own (DNS rebinding). /healthz and /readyz answer to all.",
		),
	admin_tokens: adminTokens
		.optional()
		.describe(
			"What the admin port asks for, as `Authorization: Bearer TOKEN`, of everybody and for all but /healthz and /readyz. Without any, others than this machine may only read /metrics.",
		),
	reactors: whole(1, REACTORS_MAX)
		.optional()
		.describe("Event loops, each a thread. Default: one per core. Needs a restart."),
	limits: limits.optional().describe("What is never exceeded."),
	timeouts: timeouts
		.optional()
		.describe("Each step of a connection's life has one deadline; sessions keep those they began with."),
	keepalive: keepalive
		.optional()
		.describe("TCP keepalive on both sides: a dead peer is gone after idle + probes × interval."),
	sockets: sockets.optional().describe("What the kernel may hold for one connection."),
	ledger: ledger.optional().describe("How the gateway checks itself for leaks."),
	tls: section({
		reload: optionalDuration(
			defaults.tls.reloadMs,
			"How often the files of certificates are looked at; those that changed are used for new connections, and live ones are left alone. SIGHUP reads them in any case.",
		),
		client_subject_header: z
			.string({ error: expected("a field name such as X-Client-Subject") })
			.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, {
				error: expected("a field name such as X-Client-Subject"),
			})
			.meta({ examples: ["X-Client-Subject"] })
			.optional()
			.describe(
				"HTTP: the field that tells upstreams the subject of a client's certificate (client_ca), as RFC 2253 writes it. A client's own field of that name is dropped on every listener.",
			),
	})
		.optional()
		.describe("What holds for all certificates."),
	log: log.optional().describe("What is written to standard output."),
	watch: yesNo().optional().meta({
		description:
			"Reload when the file changes. A file with an error changes nothing, and the error is logged. SIGHUP reloads in any case.",
		default: defaults.watch,
	}),
	listeners: z
		.array(listener, {
			error: expected('a list such as [{ listen: "0.0.0.0:443", routes: [{ to: web }] }]', dashed),
		})
		.max(LISTENERS_MAX, { error: `more than ${LISTENERS_MAX} listeners: the shared table has no more rows` })
		.optional()
		.describe(
			"Where connections come in. At least one, unless there are tunnels: those of tcp have ports of their own.",
		),
	upstreams: z
		.record(
			upstreamName,
			z.union([endpoint(), upstream], {
				error: expected("host:port such as 10.0.0.5:443, or a mapping with addresses", (input) =>
					Array.isArray(input)
						? `: write { addresses: [${input.join(", ")}] }`
						: typeof input === "number"
							? `: write 127.0.0.1:${input}`
							: "",
				),
			}),
			{
				error: expected("a mapping such as { web: 127.0.0.1:3000 }", (input) =>
					Array.isArray(input) ? ": write the names without dashes" : "",
				),
			},
		)
		.optional()
		.describe("Where connections go, by name. `git: 10.0.0.5:443` is short for `{ addresses: [...] }`."),
	tunnels: tunnels
		.optional()
		.describe(
			"Where agents connect to that offer services which nobody can reach otherwise. Routes lead to them by `to: tunnels`.",
		),
	hub: hub
		.optional()
		.describe(
			"Channels: what is published to one, all its subscribers are told. Routes lead there by `to: hub`.",
		),
});

/** The file with its units, names and addresses parsed, and nothing filled in. */
export type ConfigFile = z.output<typeof configSchema>;

/** Valid keys of every section, by its place: `""`, `limits`, `listeners.*.routes.*`, `upstreams.*.health` … */
export function sectionKeys(): ReadonlyMap<string, readonly string[]> {
	const sections = new Map<string, readonly string[]>();
	const visit = (schema: unknown, place: string): void => {
		if (schema instanceof z.ZodOptional) visit(schema.unwrap(), place);
		else if (schema instanceof z.ZodUnion) for (const option of schema.options) visit(option, place);
		else if (schema instanceof z.ZodArray) visit(schema.element, `${place}.*`);
		else if (schema instanceof z.ZodRecord) visit(schema.valueType, `${place}.*`);
		else if (schema instanceof z.ZodObject) {
			sections.set(place, Object.keys(schema.shape));
			for (const [key, value] of Object.entries(schema.shape)) {
				visit(value, place === "" ? key : `${place}.${key}`);
			}
		}
	};
	visit(configSchema, "");
	return sections;
}

/** JSON Schema (draft 2020-12) of what a schema takes, as it is written. */
export function writtenSchema(schema: z.ZodType): Record<string, unknown> {
	return z.toJSONSchema(schema, {
		io: "input",
		// zod drops these two where a value is parsed, taking them for the parsed form; here they are the written one.
		override: ({ zodSchema, jsonSchema }) => {
			const { default: fallback, examples } = z.globalRegistry.get(zodSchema) ?? {};
			if (fallback !== undefined) Object.assign(jsonSchema, { default: fallback });
			if (examples !== undefined) Object.assign(jsonSchema, { examples });
		},
	});
}

/** The JSON Schema of the file, for editors. */
export function jsonSchema(): Record<string, unknown> {
	const { $schema, ...rest } = writtenSchema(configSchema);
	return {
		$schema,
		title: "sluice.yaml",
		description: "Configuration of Sluice, a gateway for connections that stay open.",
		...withReferences(rest),
	};
}
