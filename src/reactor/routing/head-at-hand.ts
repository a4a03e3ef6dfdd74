/** The head of a request that was read last: it lies in scratch memory, and belongs to one session. */

import { assert } from "../../parts/assert.js";
import type { RequestHead } from "../../protocol/http/request.js";
import { NEED_MORE, type Verdict } from "../../protocol/index.js";
import type { Session } from "../table/numbers.js";
import type { Table } from "../table/table.js";
import { Tag } from "../table/tag.js";

export class HeadAtHand {
	readonly head: RequestHead;
	/** What it was found to be. */
	verdict: Verdict = NEED_MORE;
	/** Bytes of its stream that were looked at for it. */
	count = 0;
	readonly #tag: Tag;

	/** `head`: what heads are parsed into, by whoever recognises them and by whoever reads requests. */
	constructor(head: RequestHead, table: Table) {
		this.head = head;
		this.#tag = new Tag(table);
	}

	/** It is this session's. */
	found(session: Session, verdict: Verdict, count: number): void {
		this.#tag.mark(session);
		this.verdict = verdict;
		this.count = count;
	}

	/** The head, which must be this session's. */
	of(session: Session): RequestHead {
		assert(this.#tag.is(session), "the head at hand is the session's own");
		return this.head;
	}
}
