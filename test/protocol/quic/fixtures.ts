/** What was recorded, and the vectors of the RFCs: test/fixtures/quic/README.md says where they come from. */
import { readFileSync } from "node:fs";
import { hex } from "../samples.js";

/** Compiled, this file is dist/test/protocol/quic/fixtures.js; the fixtures stay in the source tree. */
const FIXTURES = new URL("../../../../test/fixtures/quic/", import.meta.url);

function linesOf(file: string): string[][] {
	return readFileSync(new URL(file, FIXTURES), "latin1")
		.split("\n")
		.filter((line) => line !== "" && !line.startsWith("#"))
		.map((line) => line.split(" "));
}

const vectors = new Map(linesOf("rfc-vectors.txt").map(([name = "", text = ""]) => [name, hex(text)]));

/** For example `v1.client_initial`. */
export function vector(name: string): Uint8Array {
	const found = vectors.get(name);
	if (found === undefined) throw new Error(`there is no vector ${name}`);
	return found;
}

/** What a client sent first, in its order. */
export interface Flight {
	readonly client: string;
	readonly serverName: string;
	readonly alpn: string;
	readonly helloBytes: number;
	readonly datagrams: readonly Uint8Array[];
}

/** Without the line's word before `=`. */
function behindEquals(word = ""): string {
	return word.slice(word.indexOf("=") + 1);
}

export function flights(): Flight[] {
	const found = new Map<string, Flight & { datagrams: Uint8Array[] }>();
	for (const [client = "", , , sni, alpn, size, text = ""] of linesOf("initials.txt")) {
		const flight = found.get(client) ?? {
			client,
			serverName: behindEquals(sni),
			alpn: behindEquals(alpn),
			helloBytes: Number(behindEquals(size)),
			datagrams: [],
		};
		flight.datagrams.push(hex(text));
		found.set(client, flight);
	}
	return [...found.values()];
}

export interface Recorded {
	readonly from: "client" | "server";
	readonly datagram: Uint8Array;
}

/** `quic-go-retry`, `aioquic-0rtt`, `dtls12-cookie`, `dtls12-fragments`. */
export function conversation(name: string): Recorded[] {
	return linesOf(`${name}.txt`).map((words) => ({
		from: words[0] === "client" ? "client" : "server",
		datagram: hex(words.at(-1) ?? ""),
	}));
}

export function clientDatagrams(name: string): Uint8Array[] {
	return conversation(name)
		.filter(({ from }) => from === "client")
		.map(({ datagram }) => datagram);
}
