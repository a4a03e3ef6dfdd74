/** Datagrams by their bytes: who has sent them, and how often they were received and sent on. */
import { violated } from "../trace.js";

export interface Origin {
	readonly ecn: number;
	/** A client, or the socket that it is an answer for. */
	readonly whose: object;
	readonly from: string;
	received: number;
	sent: number;
	/** When it was received last, among all. */
	turn: number;
}

export class Origins {
	readonly #all = new Map<string, Origin[]>();
	#turn = 0;

	/** One is received. */
	note(bytes: Uint8Array, whose: object, ecn: number, from: string): void {
		const key = keyOf(bytes);
		const all = this.#all.get(key) ?? [];
		if (all.length === 0) this.#all.set(key, all);
		let origin = all.find((each) => each.whose === whose && each.ecn === ecn && each.from === from);
		if (origin === undefined) {
			origin = { ecn, whose, from, received: 0, sent: 0, turn: 0 };
			all.push(origin);
		}
		origin.received++;
		origin.turn = ++this.#turn;
	}

	/** One that was received more often than it was sent on is sent, or would have been: of those alike, one from there, or the last. */
	take(
		bytes: Uint8Array,
		{ ecn, from }: { readonly ecn: number; readonly from: string | undefined },
		isSent: boolean,
		isMeant: (origin: Origin) => boolean,
	): Origin | undefined {
		const all =
			this.#all.get(keyOf(bytes))?.filter((each) => each.sent < each.received && isMeant(each)) ?? [];
		const alike = all.filter((each) => each.ecn === ecn);
		const found =
			alike.find((each) => each.from === from) ??
			alike.reduce<Origin | undefined>(
				(last, each) => (last === undefined || each.turn > last.turn ? each : last),
				undefined,
			);
		if (found === undefined && all[0] !== undefined)
			violated(`a datagram came with congestion bits ${all[0].ecn}, and goes on with ${ecn}`);
		if (found !== undefined && isSent) found.sent++;
		return found;
	}

	/** Where somebody has sent it from. */
	sourcesOf(bytes: Uint8Array, whose: object): string[] {
		const all = this.#all.get(keyOf(bytes)) ?? [];
		return all.filter((each) => each.whose === whose).map(({ from }) => from);
	}
}

export function keyOf(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
