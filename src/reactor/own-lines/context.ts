/** What an agent's lines need: rows of upstreams' connections until a visitor comes, and then a session of their listener. */
import type { ProxyHeader } from "../../protocol/index.js";
import type { AdmissionContext } from "../admission/context.js";
import type { Link } from "../table/numbers.js";
import type { GatewayContexts } from "./gateway-contexts.js";
import type { OwnLine } from "./own-line.js";

export interface OwnLinesContext extends AdmissionContext {
	/** Those that no visitor has. */
	readonly ownLines: Map<Link, OwnLine>;
	readonly gatewayContexts: GatewayContexts;
	readonly proxyHeader: ProxyHeader;
	/** An upstream is to hear of its clients by PROXY headers. */
	readonly saysProxyHeaders: boolean;
}
