/** What the mode of requests needs besides: its columns, and what heads and bodies are read into. */
import type { ChunkedScanner } from "../../../protocol/http/chunked.js";
import type { PathForm } from "../../../protocol/http/path.js";
import type { ResponseHead } from "../../../protocol/http/response.js";
import type { RequestRewrite, ResponseRewrite } from "../../../protocol/http/rewrite.js";
import type { TrailerSection } from "../../../protocol/http/trailers.js";
import type { RoutingContext } from "../../routing/context.js";
import type { Http1Columns } from "./columns.js";
import type { RequestNotes } from "./request-notes.js";

export interface Http1Context extends RoutingContext {
	readonly exchanges: Http1Columns;
	readonly pathForm: PathForm;
	readonly responseHead: ResponseHead;
	readonly requestRewrite: RequestRewrite;
	readonly responseRewrite: ResponseRewrite;
	readonly chunkedScanner: ChunkedScanner;
	readonly trailers: TrailerSection;
	/** What is noted of requests that will be logged. */
	readonly requestLog: RequestNotes;
}
