import { haproxy, haproxyAgain, haproxyPlain, haproxySplice } from "./haproxy.js";
import { nginx, nginxForwarded } from "./nginx.js";
import { nodeHttp, nodeUndici } from "./node-http.js";
import { nodeNet } from "./node-net.js";
import { nodeTls } from "./node-tls.js";
import { sluice, sluiceLogged } from "./sluice.js";
import { sniproxy } from "./sniproxy.js";
import type { System } from "./system.js";

/** In the order of the report's columns. */
export const SYSTEMS: readonly System[] = [
	sluice,
	sluiceLogged,
	haproxy,
	haproxyAgain,
	haproxyPlain,
	haproxySplice,
	nginx,
	nginxForwarded,
	sniproxy,
	nodeNet,
	nodeHttp,
	nodeUndici,
	nodeTls,
];

/** Ratios are to this one, in the same round, unless a figure says otherwise. */
export const REFERENCE = haproxy.id;

/** The reference once more: what its ratio to the first comes to is the machine's doing. */
export const REFERENCE_AGAIN = haproxyAgain.id;

/** Targets are this one's, unless a figure says otherwise. */
export const SUBJECT = sluice.id;
