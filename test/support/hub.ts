/** A gateway with a hub: its configuration, tokens for it, and what operators ask of it. */
import { renameSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { newKey } from "../../src/hub/new-key.js";
import { token as signed } from "../hub/support.js";
import { type Gateway, type GatewayOptions, startGateway } from "./gateway.js";
import type { Scenario } from "./scenario.js";
import { eventually } from "./waiting.js";

export interface HubConfig {
	/** Entries of `hub.channels`, as they stand in YAML. */
	readonly channels: readonly string[];
	/** Further keys of `hub`, a line each. */
	readonly hub?: readonly string[];
	/** Top-level sections. */
	readonly sections?: readonly string[];
	/** What listener 1, of framed TCP, is for; by default no channel of its own. */
	readonly framed?: string;
	/** Further keys of listener 0: `log_requests: all`. */
	readonly listener?: string;
	/** Of TLS that ends at listeners 0 and 1. */
	readonly tls?: string;
	readonly reactors?: number;
}

/** Listener 0 reads requests, listener 1 takes framed TCP. */
export function hubConfig({
	channels,
	hub = [],
	sections = [],
	framed,
	listener = "",
	tls,
	reactors = 2,
}: HubConfig): string {
	const certificate = tls === undefined ? "" : `tls: [${tls}], `;
	const channel = framed === undefined ? "" : `, channel: ${framed}`;
	return `
reactors: ${reactors}
${sections.join("\n")}
hub:
${[...hub, "channels:", ...channels.map((each) => `  - ${each}`)].map((line) => `  ${line}\n`).join("")}
listeners:
  - { listen: 127.0.0.1:0, ${certificate}routes: [{ path: /channels/, to: hub }], ${listener} }
  - { listen: 127.0.0.1:0, ${certificate}routes: [{ to: hub${channel} }] }
`;
}

/** Small buffers, so that who stops reading is behind soon. */
export const SMALL_BUFFERS = "sockets: { send_buffer: 16KiB, unsent: 16KiB }";

export function startHub(scenario: Scenario, config: HubConfig, options?: GatewayOptions): Promise<Gateway> {
	return startGateway(scenario, hubConfig(config), options);
}

export interface Publication {
	readonly data?: string;
	readonly bytes?: Uint8Array;
	readonly key?: string;
	readonly low?: boolean;
}

/** Of one request. */
const LINES_BYTES = 60_000;

/** Publishes messages in order, as an operator does; returns the last one's id. */
export async function publish(
	gateway: Gateway,
	channel: string,
	...messages: readonly (string | Publication)[]
): Promise<string> {
	const lines = messages.map((message) => {
		const { data, bytes, key, low } = typeof message === "string" ? { data: message } : message;
		return `${JSON.stringify({
			...(bytes === undefined ? { data: data ?? "" } : { base64: Buffer.from(bytes).toString("base64") }),
			...(key === undefined ? {} : { key }),
			...(low === true ? { priority: "low" } : {}),
		})}\n`;
	});
	let id = "";
	for (let from = 0; from < lines.length; ) {
		let to = from;
		for (let length = 0; to < lines.length; to++) {
			length += Buffer.byteLength(lines[to] ?? "");
			if (length > LINES_BYTES && to > from) break;
		}
		const body = lines.slice(from, to).join("");
		const { status, value } = await api(gateway, "POST", channel, body, "application/x-ndjson");
		if (status !== 200) throw new Error(`not published: ${JSON.stringify(value)}`);
		id = String(value["id"]);
		from = to;
	}
	return id;
}

/** Asks for `/api/hub/…`; for `/api/hub`, where the path is empty. */
export async function api(
	gateway: Gateway,
	method: string,
	path: string,
	body = "",
	type = "text/plain",
): Promise<{ readonly status: number; readonly value: Record<string, unknown> }> {
	const headers = { "sluice-operator": "test", "content-type": type };
	const target = {
		host: "127.0.0.1",
		port: gateway.adminPort,
		path: path === "" ? "/api/hub" : `/api/hub/${path}`,
	};
	const response = await new Promise<IncomingMessage>((resolve, reject) => {
		request({ ...target, method, agent: false, headers }, resolve)
			.once("error", reject)
			.end(body);
	});
	let text = "";
	for await (const part of response.setEncoding("utf8")) text += part;
	return { status: response.statusCode ?? 0, value: JSON.parse(text) as Record<string, unknown> };
}

/** Waits until a channel has so many subscribers: the main thread hears of those who leave at the end of a reactor's turn. */
export async function subscribers(gateway: Gateway, channel: string, count: number): Promise<void> {
	let there: unknown;
	await eventually(
		async () => {
			there = (await api(gateway, "GET", channel)).value["subscribers"] ?? 0;
			return there === count ? true : undefined;
		},
		() => `${channel} has ${String(there)} subscribers, and not ${count}`,
	);
}

export interface Grant {
	readonly who?: string;
	readonly subscribe?: readonly string[];
	readonly publish?: readonly string[];
	/** Seconds from now on; below 0 it has expired. */
	readonly seconds?: number;
}

/** A file of keys, and tokens that they sign. */
export interface Keys {
	readonly file: string;
	/** As a line of `hub`. */
	readonly line: string;
	/** As a set of keys has it. */
	readonly verifier: object;
	token(grant: Grant): string;
	/** Puts others' keys into its file in place of what is there. */
	replaceBy(...others: readonly Pick<Keys, "verifier">[]): void;
}

export function hubKeys(scenario: Scenario, name = "hub-keys.json", kid = "HS256"): Keys {
	const key = newKey("HS256", kid);
	const file = join(scenario.directory, name);
	const write = (path: string, verifiers: readonly object[]): void =>
		writeFileSync(path, JSON.stringify({ keys: verifiers }));
	write(file, [key.verifier]);
	return {
		...{ file, line: `keys: "${file}"`, verifier: key.verifier },
		replaceBy: (...others) => {
			write(
				`${file}.new`,
				others.map(({ verifier }) => verifier),
			);
			renameSync(`${file}.new`, file);
		},
		token: ({ who, subscribe = [], publish = [], seconds = 3_600 }) =>
			signed(
				"HS256",
				{
					exp: Date.now() / 1_000 + seconds,
					...(who === undefined ? {} : { sub: who }),
					hub: { subscribe, publish },
				},
				{ alg: "HS256", kid },
				key,
			),
	};
}
