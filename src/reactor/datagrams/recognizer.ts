/**
 * Which route a datagram of somebody who is not known yet belongs to: it is looked at, and with those that came before it from the
 * same peer it says what it is and which name it asks for. Nothing is ever sent from here: whoever has not been routed has
 * not shown that he is at his address.
 *
 *     COMPLETE     it can be routed: what `half` holds is sent on first, then this datagram; then the half is released
 *     NEED_MORE    it is held, or was worth nothing; the rest is waited for until the half's deadline
 *     MALFORMED    it is dropped, and with it the half, where the fault was written by who holds the other end
 */
import { recognizeDatagram } from "../../protocol/datagram.js";
import { PROTOCOL_DTLS, PROTOCOL_QUIC } from "../../protocol/protocols.js";
import {
	LongPacket,
	PACKET_0RTT,
	PACKET_INITIAL,
	PACKET_NEGOTIATION,
	PACKET_UNKNOWN_VERSION,
} from "../../protocol/quic/long-packet.js";
import { COMPLETE, type Verdict } from "../../protocol/verdict.js";
import { DtlsHellos } from "./dtls-hellos.js";
import type { HalfHellos } from "./half-hellos.js";
import type { Arrival } from "./peer.js";
import { type InitialOpener, QuicHellos } from "./quic-hellos.js";
import type { DatagramRecognition } from "./recognition.js";

/** What becomes of QUIC in a version that cannot be opened: it is dropped, or goes to a route that asks for no name. */
export type UnknownVersions = "reject" | "route";

export class DatagramRecognizer {
	readonly halves: HalfHellos;
	readonly #memory: Uint8Array;
	readonly #quic: QuicHellos;
	readonly #dtls: DtlsHellos;
	readonly #packet = new LongPacket();

	/** @param memory where datagrams are received, and which `opener` was made with */
	constructor(memory: Uint8Array, opener: InitialOpener, halves: HalfHellos) {
		this.halves = halves;
		this.#memory = memory;
		this.#quic = new QuicHellos(memory, opener, halves);
		this.#dtls = new DtlsHellos(memory, halves);
	}

	/** Fills `out`, and says what is to be done with the datagram. */
	read(arrival: Arrival, unknownVersions: UnknownVersions, out: DatagramRecognition): Verdict {
		out.begin();
		// Whoever comes after his time begins anew, however long ago the loop has looked.
		this.halves.expire(arrival.nowMs);
		out.protocol = recognizeDatagram(this.#memory, arrival.start, arrival.end, this.#packet);
		if (out.protocol === PROTOCOL_DTLS) return this.#dtls.read(arrival, out);
		if (out.protocol !== PROTOCOL_QUIC) return COMPLETE;
		const { kind, version, cause } = this.#packet;
		out.version = version;
		if (cause !== "") return out.malformed(cause);
		switch (kind) {
			case PACKET_INITIAL:
			case PACKET_0RTT:
				return this.#quic.read(arrival, this.#packet, out);
			case PACKET_UNKNOWN_VERSION:
				return unknownVersions === "route" ? COMPLETE : out.malformed("unknown_version");
			case PACKET_NEGOTIATION:
				return out.malformed("version_negotiation"); // servers say that
			default:
				return out.malformed("no_initial"); // a Handshake packet of a connection that is not known, or a Retry
		}
	}
}
