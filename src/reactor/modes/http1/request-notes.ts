/** What is known of a request that is under way and will be logged. */
export interface Note {
	/** Method and path, one behind the other. */
	readonly text: Uint8Array;
	readonly methodLength: number;
	readonly isPathCut: boolean;
	/** Bytes that had gone to the client, and to upstreams, before. */
	readonly toClientBefore: number;
	readonly fromClientBefore: number;
	/** Where it was sent last. */
	address: number;
}

/** Beside the table, by session: empty as long as nothing is logged. */
export class RequestNotes {
	readonly notes = new Map<number, Note>();
}
