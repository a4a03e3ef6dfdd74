/** Addresses that a name has. */

export interface Address {
	readonly address: string;
	readonly family: 4 | 6;
}

/** What a look-up found. */
export interface Answer {
	readonly addresses: readonly Address[];
	/** Nobody answered whether there are addresses of this family: what was known of them holds on. */
	readonly unanswered?: 4 | 6;
}
