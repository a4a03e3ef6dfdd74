/** What a reactor writes down for others to read. */
import type { Notice } from "../plan/plan.js";
import type { TableContext } from "../table/context.js";
import type { Bans } from "./bans.js";
import type { Counters } from "./counters.js";
import type { Journal } from "./journal.js";
import type { LineNews } from "./line-news.js";
import type { Owners } from "./owners.js";
import type { Places } from "./places.js";
import type { Rates } from "./rates.js";
import type { SessionNumbers } from "./session-numbers.js";
import type { Sources } from "./sources.js";

export interface RecordsContext extends TableContext {
	/** Which reactor this is. */
	readonly index: number;
	readonly counters: Counters;
	readonly journal: Journal;
	readonly lineNews: LineNews;
	readonly owners: Owners;
	readonly sources: Sources;
	readonly rates: Rates;
	readonly bans: Bans;
	readonly places: Places;
	readonly sessionNumbers: SessionNumbers;
	readonly logSessions: boolean;
	/** Tells the main thread something that only it can cause, or only so often; for all else there is `remark`. */
	readonly notify: (notice: Notice) => void;
	/** Says something to the operator, in the log. */
	remark(level: "warn" | "error", message: string): void;
}
