/** What is answered where something cannot be had: to a request, to what was said, at the end of a connection. */
import { CLOSE_NOT_ALLOWED } from "../channels/close-codes.js";
import { CLOSE_POLICY, CLOSE_TRY_LATER } from "../protocol/websocket/close-codes.js";
import { HubRefusal } from "./desk.js";
import { RequestRefusal } from "./request.js";
import { type Ref, SaidFault } from "./said.js";

export function refIn(ref: Ref): { ref?: string | number } {
	return ref === undefined ? {} : { ref };
}

/** The fault of what was said with this `ref`. */
export function withRef<Result>(ref: Ref, what: () => Result): Result {
	try {
		return what();
	} catch (error) {
		const { code, message } = refusalOf(error);
		throw new SaidFault(code, message, ref);
	}
}

/** What a connection ends with that cannot have what it came for. */
export function closeCodeOf({ status }: RequestRefusal): number {
	if (status === 503) return CLOSE_TRY_LATER;
	return status === 403 ? CLOSE_NOT_ALLOWED : CLOSE_POLICY;
}

/** What is answered, whatever went wrong. */
export function refusalOf(error: unknown): RequestRefusal {
	if (error instanceof RequestRefusal) return error;
	if (error instanceof HubRefusal) return new RequestRefusal(error.status, error.code, error.message);
	throw error;
}
