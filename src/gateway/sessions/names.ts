/** How sessions are called, those that live and those that have ended: what they asked for, whence they came, where they went. */
import type { SessionFilter } from "../../admin/session-view.js";
import { bracketed } from "../../parts/bracketed.js";
import { formatAddress } from "../../protocol/address.js";
import type { Names } from "../log-lines.js";

type Naming = Names["route"];

/** `null`: a number of nothing. */
export function shownName({ of, shown = (name) => name }: Naming, slot: number): string | null {
	return slot < 0 ? null : shown(of(slot));
}

/** What a filter names of what has numbers. Each number's name is made once: there are fewer of these than of sessions. */
export class NameFilter {
	readonly #listener: (slot: number) => boolean;
	readonly #route: (slot: number) => boolean;
	readonly #upstream: (slot: number) => boolean;
	readonly #address: (slot: number) => boolean;

	constructor({ listener, route, upstream, address }: SessionFilter, names: Names) {
		this.#listener = isNamed(names.listener, listener);
		this.#route = isNamed(names.route, route);
		this.#upstream = isNamed(names.upstream, upstream);
		this.#address = isNamed(names.address, address);
	}

	/** Whether these are what it names, as far as it does. */
	fits(listener: number, route: number, upstream: number, address: number): boolean {
		return (
			this.#listener(listener) && this.#route(route) && this.#upstream(upstream) && this.#address(address)
		);
	}
}

function isNamed(naming: Naming, wanted: string | undefined): (slot: number) => boolean {
	if (wanted === undefined) return () => true;
	const known = new Map<number, boolean>();
	return (slot) => {
		let is = known.get(slot);
		if (is === undefined) {
			is = shownName(naming, slot) === wanted;
			known.set(slot, is);
		}
		return is;
	};
}

/** A name of so many bytes, of which there are `room` at most from `start` on: what is cut ends with `…`. `null`: there is none. */
export function nameText(bytes: Uint8Array, start: number, length: number, room: number): string | null {
	if (length === 0) return null;
	// A copy: decoders do not take shared memory.
	const text = Buffer.from(bytes.slice(start, start + Math.min(length, room))).toString("latin1");
	return length > room ? `${text}…` : text;
}

/** `10.0.0.7:51234`, `[fd00::7]:51234` */
export function sourceText(family: number, bytes: Uint8Array, offset: number, port: number): string {
	const address = formatAddress(bytes, offset, family);
	return `${bracketed(address)}:${port}`;
}
