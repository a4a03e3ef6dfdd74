/** Requests that came on a connection which is not for their name. */

import { i32 } from "../../parts/at.js";
import type { ReactorListener } from "../admission/listener.js";
import type { Entry } from "../plan/certificates.js";
import type { Session } from "../table/numbers.js";
import { isSecured } from "../wire/tls.js";
import type { RoutingContext } from "./context.js";

/**
 * A request for a name that is terminated here, in the open; or for one whose clients must show a certificate, on a
 * connection that began under another name: it was not asked for one, or for one of others. `host` in lower case.
 */
export function isMisdirected(
	core: RoutingContext,
	listener: ReactorListener,
	client: Session,
	host: Uint8Array,
	length: number,
): boolean {
	if (listener.plan.tls.length === 0) return false;
	const wanted = listener.certificates.findForHost(host, length);
	if (wanted < 0) return false;
	if (!isSecured(core, client)) return true;
	const asked = clientCaOf(core.certificates.entry(wanted));
	if (asked === undefined) return false;
	const own = core.certificates.entry(i32(core.secures.entry, client));
	const shown = clientCaOf(own);
	if (shown === undefined) return true;
	return asked !== shown && !isEarlier(own, core.certificates.entry(wanted));
}

/** What stood in the place of an entry before a reload: its connections go on with what they showed then. */
function isEarlier(own: Entry, entry: Entry): boolean {
	return own.plan.names.join() === entry.plan.names.join();
}

function clientCaOf(entry: Entry): string | undefined {
	return entry.plan.server.clientCa?.text;
}
