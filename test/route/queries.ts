/** What a connection shows to the router, built from values. */
import type { RouteConditions, RouteProtocol } from "../../src/config/config.js";
import { RequestHead } from "../../src/protocol/http/request.js";
import {
	ClientHello,
	PROTOCOL_DTLS,
	PROTOCOL_H2C,
	PROTOCOL_HTTP,
	PROTOCOL_OTHER,
	PROTOCOL_QUIC,
	PROTOCOL_SSH,
	PROTOCOL_TLS,
	PROTOCOL_UNKNOWN,
} from "../../src/protocol/index.js";
import type { RouteQuery } from "../../src/route/router.js";

export type Kind = Exclude<RouteProtocol, "any"> | "silence";

export const PROTOCOL: Readonly<Record<Kind, number>> = {
	tls: PROTOCOL_TLS,
	http: PROTOCOL_HTTP,
	ssh: PROTOCOL_SSH,
	h2c: PROTOCOL_H2C,
	quic: PROTOCOL_QUIC,
	dtls: PROTOCOL_DTLS,
	other: PROTOCOL_OTHER,
	silence: PROTOCOL_UNKNOWN,
};

export interface Client {
	readonly kind: Kind;
	/** SNI or Host; "" = none. */
	readonly name: string;
	readonly alpn: readonly string[];
	/** 4 or 16 bytes. */
	readonly source: readonly number[];
	/** TLS was terminated here; `kind` and `name` are what was found inside, and `alpn` was only offered. */
	readonly secured?: {
		/** SNI; "" = none. */
		readonly serverName: string;
		/** What was agreed on; "" = nothing. */
		readonly alpn: string;
	};
}

/** Where a source lies among those of other connections: never at the start. */
const SOURCE_OFFSET = 16;

/** Nor does a server name among those of others. */
const SERVER_NAME_OFFSET = 80;

/** One object for all, as in the reactor: what an earlier client left in it must not matter. */
export class Queries {
	readonly #query: RouteQuery = {
		protocol: PROTOCOL_UNKNOWN,
		name: new Uint8Array(256),
		nameLength: 0,
		hello: new ClientHello(),
		family: 4,
		source: new Uint8Array(64).fill(0xaa),
		sourceOffset: SOURCE_OFFSET,
		requestBytes: new Uint8Array(),
		path: new Uint8Array(),
		pathStart: 0,
		pathEnd: 0,
		secured: false,
		serverName: new Uint8Array(512),
		serverNameStart: 0,
		serverNameLength: 0,
		alpn: new Uint8Array(),
		isWebSocket: false,
		request: new RequestHead(),
	};

	of(client: Client): RouteQuery {
		const query = this.#query;
		const name = new TextEncoder().encode(client.name);
		query.protocol = PROTOCOL[client.kind];
		query.name.set(name);
		query.nameLength = name.length;
		query.family = client.source.length === 4 ? 4 : 6;
		query.source.set(client.source, SOURCE_OFFSET);
		// Only a client that begins with a hello writes it.
		if (saysHello(client.kind)) writeAlpn(query.hello, client.alpn);
		const { secured } = client;
		query.secured = secured !== undefined;
		if (secured === undefined) return query; // what an earlier connection's TLS was stays there
		const serverName = new TextEncoder().encode(secured.serverName);
		query.serverName.set(serverName, SERVER_NAME_OFFSET);
		query.serverNameStart = SERVER_NAME_OFFSET;
		query.serverNameLength = serverName.length;
		query.alpn = new TextEncoder().encode(secured.alpn);
		return query;
	}
}

export function saysHello(kind: Kind): boolean {
	return kind === "tls" || kind === "quic" || kind === "dtls";
}

function writeAlpn(hello: ClientHello, protocols: readonly string[]): void {
	let length = 0;
	for (const protocol of protocols) {
		const bytes = new TextEncoder().encode(protocol);
		hello.alpn[length] = bytes.length;
		hello.alpn.set(bytes, length + 1);
		length += 1 + bytes.length;
	}
	hello.alpnLength = length;
}

export function route(conditions: Partial<RouteConditions>): RouteConditions {
	return {
		sni: null,
		host: null,
		alpn: null,
		protocol: null,
		source: null,
		path: null,
		subprotocol: null,
		to: "somewhere",
		answer: null,
		requests: null,
		label: "",
		...conditions,
	};
}
