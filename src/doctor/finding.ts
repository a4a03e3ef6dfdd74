/** What a check says of one thing, and how settings are mended. */
import type { Facts } from "./facts.js";

/**
 * `fine`: nothing to do. `note`: to know, nothing to do. `unknown`: it could not be read. `advice`: it works, and worse than it
 * could. `fails`: what is asked for will not work.
 */
export type Level = "fine" | "note" | "unknown" | "advice" | "fails";

/** What keeps a change over a restart of the machine. */
export interface Keep {
	readonly file: string;
	/** What belongs in it. */
	readonly text: string;
}

export interface Finding {
	/** Stays the same over versions: `accept.somaxconn`. */
	readonly id: string;
	readonly level: Level;
	readonly found: string;
	readonly why: string;
	/** The command that mends it now; `null`: there is none, or nothing to mend. */
	readonly now: string | null;
	readonly keep: Keep | null;
}

export interface Mend {
	readonly now: string | null;
	readonly keep: Keep | null;
}

const NOTHING: Mend = { now: null, keep: null };

export function finding(id: string, level: Level, found: string, why: string, mend = NOTHING): Finding {
	return { id, level, found, why, now: mend.now, keep: mend.keep };
}

/** Where settings of the kernel stay that were made for Sluice. */
const SYSCTL_FILE = "/etc/sysctl.d/90-sluice.conf";

export function sysctl(name: string, value: number | string): Mend {
	const text = String(value);
	return {
		now: `sysctl -w ${name}=${text.includes(" ") ? `"${text}"` : text}`,
		keep: { file: SYSCTL_FILE, text: `${name} = ${text}` },
	};
}

/** A limit of the service: `prlimit` raises it for this shell and what is started from it, the unit for the service. */
export function limit(option: string, directive: string, value: number | "unlimited"): Mend {
	return {
		now: `prlimit --pid $$ --${option}=${value}:${value}`,
		keep: {
			file: "/etc/systemd/system/sluice.service.d/limits.conf",
			text: `[Service]\n${directive}=${value === "unlimited" ? "infinity" : value}`,
		},
	};
}

/** Something to be written into the configuration. */
export function inConfig(file: string | null, text: string): Mend {
	return { now: null, keep: { file: file ?? "sluice.yaml", text } };
}

/** A setting that is not there for us: why, in words. */
export function unknown(facts: Facts, id: string, name: string, why: string): Finding {
	const reason = facts.unread[name] ?? "this kernel, or this network namespace, has none";
	return finding(id, "unknown", `${name} cannot be read: ${reason}`, why);
}

/** 28,232 */
export function count(amount: number): string {
	return amount.toLocaleString("en-US");
}

/** `1.5 GiB`, to three digits. */
export function bytes(amount: number): string {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let unit = 0;
	let rest = amount;
	while (rest >= 1_024 && unit < units.length - 1) {
		rest /= 1_024;
		unit++;
	}
	return `${Number(rest.toPrecision(3))} ${units[unit]}`;
}

export function plural(amount: number, noun: string): string {
	return `${count(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

/** As people choose limits: at least so much, and two digits of it. */
export function roundUp(amount: number): number {
	const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, amount))) - 1);
	return Math.ceil(amount / step) * step;
}
