import { haproxy, haproxyForwarded, haproxySplice } from "./haproxy.js";
import { nginx, nginxForwarded } from "./nginx.js";
import { nodeHttp, nodeUndici } from "./node-http.js";
import { nodeNet } from "./node-net.js";
import { nodeTls } from "./node-tls.js";
import { sluice } from "./sluice.js";
import { sniproxy } from "./sniproxy.js";
import type { System } from "./system.js";

/** In the order of the report's columns. */
export const SYSTEMS: readonly System[] = [
	sluice,
	haproxy,
	haproxySplice,
	haproxyForwarded,
	nginx,
	nginxForwarded,
	sniproxy,
	nodeNet,
	nodeHttp,
	nodeUndici,
	nodeTls,
];

/** Ratios are to this one, in the same round. */
export const REFERENCE = haproxy.id;

/** Targets are this one's. */
export const SUBJECT = sluice.id;
