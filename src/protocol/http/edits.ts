/** What a route does to the fields of a message, prepared once from its configuration. */
import { ascii, at } from "../bytes.js";
import {
	FIELD_EXPECT,
	FIELD_LAST_DROPPED,
	FIELD_LAST_FORWARDING,
	FIELD_LAST_FRAMING,
	FIELD_LAST_WRITTEN,
	FIELD_SEC_WEBSOCKET_ACCEPT,
	FIELD_SEC_WEBSOCKET_KEY,
	FIELD_SEC_WEBSOCKET_VERSION,
	FIELD_TRAILER,
	FIELD_VIA,
	fieldIdOf,
} from "./field-names.js";
import { IS_TOKEN, IS_VALUE, isSpace, isSpellingOf } from "./grammar.js";

/** What the gateway reads or writes itself, or what proves that a handshake was understood. */
const OURS: ReadonlySet<number> = new Set([
	FIELD_TRAILER,
	FIELD_EXPECT,
	FIELD_VIA,
	FIELD_SEC_WEBSOCKET_KEY,
	FIELD_SEC_WEBSOCKET_VERSION,
	FIELD_SEC_WEBSOCKET_ACCEPT,
]);

/** A field that no route may touch, or one that could not be sent. */
export class FieldEditError extends Error {
	readonly code = "SLUICE_FIELD_EDIT";
	readonly field: string;

	constructor(field: string, why: string) {
		super(`field ${JSON.stringify(field)} ${why}`);
		this.name = "FieldEditError";
		this.field = field;
	}
}

/** Fields to set and to remove. Names match in any case, and all but letters and digits count as `-` (see {@link isSpellingOf}). */
export class FieldEdits {
	/** Names as {@link isSpellingOf} wants them, of everything that must not pass as it came: what is set is removed first. */
	readonly dropped: readonly Uint8Array[];
	/** `Name: value` CR LF, one after the other, as they are sent. */
	readonly lines: Uint8Array;

	/**
	 * @throws {FieldEditError} for a name or value that HTTP cannot carry, and for fields that the gateway answers
	 * for itself: framing, Host, hop-by-hop, Via and the forwarding fields.
	 */
	constructor(set: Readonly<Record<string, string>>, remove: readonly string[]) {
		const names = [...Object.keys(set), ...remove];
		for (const name of names) checkName(name);
		this.dropped = names.map(canonicalName);
		let lines = "";
		for (const [name, value] of Object.entries(set)) {
			checkValue(name, value);
			lines += `${name}: ${value}\r\n`;
		}
		this.lines = ascii(lines);
	}

	/** Whether the field name bytes[start, end) must not pass. */
	drops(bytes: Uint8Array, start: number, end: number): boolean {
		const dropped = this.dropped;
		for (let i = 0; i < dropped.length; i++) {
			if (isSpellingOf(bytes, start, end, dropped[i] as Uint8Array)) return true;
		}
		return false;
	}
}

/** No edits at all. */
export const NO_EDITS = new FieldEdits({}, []);

/** A field name as {@link isSpellingOf} wants it. */
export function canonicalName(name: string): Uint8Array {
	return ascii(name.toLowerCase().replace(/[^0-9a-z]/g, "-"));
}

/** @throws {FieldEditError} */
export function checkName(name: string): void {
	const bytes = canonicalName(name);
	if (!/^[\x21-\x7e]+$/.test(name) || ascii(name).some((byte) => at(IS_TOKEN, byte) === 0)) {
		throw new FieldEditError(name, "is no name that HTTP can carry: use letters, digits and hyphens");
	}
	const id = fieldIdOf(bytes, 0, bytes.length);
	const isOurs =
		(id !== 0 && id <= FIELD_LAST_DROPPED) || (id > FIELD_LAST_FORWARDING && id <= FIELD_LAST_FRAMING);
	if (isOurs || OURS.has(id)) {
		throw new FieldEditError(name, "belongs to the connection, and the gateway writes it itself");
	}
	if (id > FIELD_LAST_DROPPED && id <= FIELD_LAST_WRITTEN) {
		throw new FieldEditError(
			name,
			"says who the client is: it is set by the gateway, see `forwarded_trusted`",
		);
	}
}

/** @throws {FieldEditError} */
export function checkValue(name: string, value: string): void {
	const isSendable = Array.from(value, (character) => character.charCodeAt(0)).every(
		(code) => code < 128 && at(IS_VALUE, code) === 1,
	);
	const isPadded =
		value !== "" && (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1)));
	if (!isSendable || isPadded) {
		throw new FieldEditError(
			name,
			"has a value with control characters, characters beyond ASCII, or padding",
		);
	}
}
