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

/** The numbers of what a session has to do with. */
export interface Numbers {
	readonly listener: number;
	readonly route: number;
	readonly upstream: number;
	readonly address: number;
}

/** Whether these are what a filter names, as far as it does. */
export function areNamed(filter: SessionFilter, names: Names, numbers: Numbers): boolean {
	for (const kind of ["listener", "route", "upstream", "address"] as const) {
		const wanted = filter[kind];
		if (wanted !== undefined && shownName(names[kind], numbers[kind]) !== wanted) return false;
	}
	return true;
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
