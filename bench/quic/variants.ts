/** What is measured of QUIC's Initials: each variant does its work once per call, and the work is checked before it is timed. */
import { readFileSync } from "node:fs";
import { INITIAL_KEYS_BYTES, QuicInitials } from "../../src/kernel/openssl/quic-initials.js";
import { COMPLETE } from "../../src/protocol/index.js";
import { LongPacket, parseLongPacket } from "../../src/protocol/quic/long-packet.js";
import { INITIAL_VERSIONS, type InitialVersion } from "../../src/protocol/quic/versions.js";
import { HalfHellos } from "../../src/reactor/datagrams/half-hellos.js";
import { DatagramRecognition } from "../../src/reactor/datagrams/recognition.js";
import { DatagramRecognizer } from "../../src/reactor/datagrams/recognizer.js";
import { NodeCrypto } from "./node-crypto.js";

export interface Variant {
	readonly id: string;
	readonly title: string;
	/** Initials that are opened by one call. */
	readonly initials: number;
	run(): boolean;
}

/** Compiled, this file is dist/bench/quic/variants.js; the fixtures stay in the source tree. */
const FIXTURES = new URL("../../../test/fixtures/quic/", import.meta.url);

function datagrams(file: string, prefix: string): Uint8Array[] {
	const lines = readFileSync(new URL(file, FIXTURES), "latin1").split("\n");
	const found = lines.filter((line) => line.startsWith(`${prefix} `));
	if (found.length === 0) throw new Error(`there is no ${prefix} in ${file}`);
	return found.map((line) => new Uint8Array(Buffer.from(line.slice(line.lastIndexOf(" ") + 1), "hex")));
}

/** All of them, and `dispose` for what they have of OpenSSL's. */
export function makeVariants(): { readonly variants: readonly Variant[]; dispose(): void } {
	const memory = new Uint8Array(new ArrayBuffer(65_536));
	const initials = new QuicInitials(memory, INITIAL_VERSIONS);
	const [rfc = new Uint8Array(0)] = datagrams("rfc-vectors.txt", "v1.client_initial");
	const variants = [
		...opening(memory, initials, rfc),
		recognising(memory, initials, "recognised", "hello of one datagram, recognised (RFC 9001, A.2)", [rfc]),
		recognising(
			memory,
			initials,
			"chromium",
			"Chromium's hello of two datagrams, recognised",
			datagrams("initials.txt", "chromium"),
		),
	];
	return { variants, dispose: () => initials.dispose() };
}

function opening(memory: Uint8Array, initials: QuicInitials, rfc: Uint8Array): Variant[] {
	// Beside where the recogniser's datagrams lie.
	const at = 32_768;
	memory.set(rfc, at);
	const packet = new LongPacket();
	if (parseLongPacket(memory, at, at + rfc.length, packet) !== COMPLETE) throw new Error(packet.cause);
	const { version, destinationAt, destinationBytes, numberAt, end } = packet;
	const keys = new Uint8Array(INITIAL_KEYS_BYTES);
	const derive = (): void => initials.deriveKeys(version, destinationAt, destinationBytes, keys, 0);
	const open = (): boolean => initials.open(at, numberAt, end, keys, 0) > 0;
	const node = new NodeCrypto(INITIAL_VERSIONS.find(({ number }) => number === version) as InitialVersion);
	const id = rfc.subarray(destinationAt - at, destinationAt - at + destinationBytes);
	const nodeKeys = node.keys(id);
	derive();
	return [
		{
			id: "evp",
			title: "OpenSSL through koffi: keys and opening",
			initials: 1,
			run: () => {
				derive();
				return open();
			},
		},
		{ id: "evp-open", title: "… opening alone, as of a second datagram", initials: 1, run: open },
		{
			id: "node",
			title: "node:crypto: keys and opening",
			initials: 1,
			run: () => node.open(rfc, numberAt - at, node.keys(id)) !== undefined,
		},
		{
			id: "node-open",
			title: "… opening alone",
			initials: 1,
			run: () => node.open(rfc, numberAt - at, nodeKeys) !== undefined,
		},
	];
}

function recognising(
	memory: Uint8Array,
	initials: QuicInitials,
	id: string,
	title: string,
	flight: readonly Uint8Array[],
): Variant {
	const halves = new HalfHellos({
		halves: 1024,
		perSource: 64,
		fewOfSource: 1,
		bytesEach: 8192,
		timeoutMs: 5_000,
	});
	const recognizer = new DatagramRecognizer(memory, initials, halves);
	const peer = { family: 4, bytes: Uint8Array.of(192, 0, 2, 1), offset: 0, port: 4433 };
	const out = new DatagramRecognition();
	const arrival = { peer, start: 0, end: 0, ecn: 0, nowMs: 0 };
	return {
		id,
		title,
		initials: flight.length,
		run: () => {
			let verdict: number = -1;
			for (const datagram of flight) {
				memory.set(datagram); // as the kernel would
				arrival.end = datagram.length;
				verdict = recognizer.read(arrival, "reject", out);
			}
			if (out.half >= 0) halves.release(out.half);
			return verdict === COMPLETE && out.hello.nameLength > 0;
		},
	};
}
