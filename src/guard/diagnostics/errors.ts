/** What was left open. */

/** Something that is open and was not before. */
export interface Open {
	/** What it is: `socket`, `server`, `timer`, `child process`, `file handle`, `worker`, or `descriptor`. */
	readonly kind: OpenKind;
	/** Node's name for it, such as `TCPWRAP`, and its descriptor's number and what that points to, where it has one. */
	readonly detail: string;
	/** Where it was created; `undefined` of descriptors that Node has no object for, as those of `openSync`. */
	readonly stack: string | undefined;
}

/** What a check can find open. */
export type OpenKind =
	| "socket"
	| "server"
	| "timer"
	| "child process"
	| "file handle"
	| "worker"
	| "pipe"
	| "watcher"
	| "descriptor";

/** Something stayed open. The message lists each with the place that created it. */
export class LeakError extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "LeakError";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_LEAK";
	/** What is still open. */
	readonly open: readonly Open[];

	constructor(open: readonly Open[], settleMs: number) {
		const list = open.map(
			({ kind, detail, stack }) => `- ${kind} (${detail})${stack === undefined ? "" : `\n${stack}`}`,
		);
		super(
			`${open.length} left open, ${settleMs} ms after the end: close each where it was created\n${list.join("\n")}`,
		);
		this.open = open;
	}
}
