/** A recogniser as a reactor has it, and peers that send it datagrams. */
import { QuicInitials } from "../../../src/kernel/openssl/quic-initials.js";
import { COMPLETE, NEED_MORE } from "../../../src/protocol/index.js";
import { PROTOCOL_NAMES } from "../../../src/protocol/protocols.js";
import { INITIAL_VERSIONS } from "../../../src/protocol/quic/versions.js";
import { HalfHellos, type HalfLimits } from "../../../src/reactor/datagrams/half-hellos.js";
import type { Peer } from "../../../src/reactor/datagrams/peer.js";
import { DatagramRecognition } from "../../../src/reactor/datagrams/recognition.js";
import { DatagramRecognizer, type UnknownVersions } from "../../../src/reactor/datagrams/recognizer.js";

export const MEMORY_BYTES = 65_536;

/** What became of one datagram, in words. */
export interface Said {
	/** `complete`, `more`, or why it was dropped. */
	readonly verdict: string;
	readonly protocol: string;
	/** `undefined`: nothing was read that could have one. */
	readonly name: string | undefined;
	readonly alpn: string;
	/** Datagrams that are sent on before this one. */
	readonly held: readonly Uint8Array[];
}

export function peerAt(address: readonly number[], port = 4433): Peer {
	return { family: address.length === 4 ? 4 : 6, bytes: Uint8Array.from(address), offset: 0, port };
}

export const CLIENT = peerAt([192, 0, 2, 1]);

export class Rig {
	readonly memory = new Uint8Array(new ArrayBuffer(MEMORY_BYTES));
	readonly initials = new QuicInitials(this.memory, INITIAL_VERSIONS);
	readonly halves: HalfHellos;
	readonly #recognizer: DatagramRecognizer;
	readonly #out = new DatagramRecognition();
	unknownVersions: UnknownVersions = "reject";
	nowMs = 0;
	/** Where datagrams are received. */
	at = 0;

	constructor(limits: Partial<HalfLimits> = {}) {
		this.halves = new HalfHellos({
			halves: 16,
			perSource: 16,
			fewOfSource: 4,
			bytesEach: 8192,
			timeoutMs: 5_000,
			...limits,
		});
		this.#recognizer = new DatagramRecognizer(this.memory, this.initials, this.halves);
	}

	/** As the reactor does: what is complete is routed at once, and its half released. */
	hear(datagram: Uint8Array, peer: Peer = CLIENT): Said {
		const start = this.at;
		const end = start + datagram.length;
		this.memory.set(datagram, start);
		const out = this.#out;
		const verdict = this.#recognizer.read(
			{ peer, start, end, ecn: 0, nowMs: this.nowMs },
			this.unknownVersions,
			out,
		);
		const isRouted = verdict === COMPLETE;
		const said = {
			verdict: isRouted ? "complete" : verdict === NEED_MORE ? "more" : out.cause,
			protocol: PROTOCOL_NAMES[out.protocol] ?? "",
			name: isRouted && out.hasHello ? (out.hello.serverName ?? "") : undefined,
			alpn: isRouted && out.hasHello ? out.hello.alpnProtocols.join() : "",
			held: isRouted && out.half >= 0 ? this.heldBy(out.half) : [],
		};
		if (isRouted && out.half >= 0) this.halves.release(out.half);
		return said;
	}

	heldBy(half: number): Uint8Array[] {
		const found: Uint8Array[] = [];
		const { halves } = this;
		for (let at = halves.firstHeld(half); at >= 0; at = halves.nextHeld(half, at))
			found.push(halves.held.slice(at, at + halves.heldLength(at)));
		return found;
	}

	/** What the last of some datagrams came to. */
	hearAll(datagrams: readonly Uint8Array[], peer: Peer = CLIENT): Said {
		let said: Said | undefined;
		for (const datagram of datagrams) said = this.hear(datagram, peer);
		if (said === undefined) throw new Error("there is no datagram");
		return said;
	}

	/** Forgets all halves. */
	forget(): void {
		this.nowMs += 5_000;
		this.halves.expire(this.nowMs);
	}

	dispose(): void {
		this.initials.dispose();
	}
}
