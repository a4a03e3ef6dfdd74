/** Which systems are there. */

export interface Installable {
	readonly id: string;
	/** What to do when it is not there. */
	readonly install: string;
	/** `null`: it is not there. */
	version(): string | null;
}

/** Those that are there; of the others it is said what to do. */
export function installed<System extends Installable>(systems: readonly System[]): System[] {
	return systems.filter((system) => {
		const found = system.version() !== null;
		if (!found)
			process.stderr.write(`bench: ${system.id} is missing and left out; to include it: ${system.install}\n`);
		return found;
	});
}
