import type { UdpRow } from "../bench.js";
import { flowRows } from "./flows.js";
import { idle } from "./idle.js";
import { quicDownload } from "./quic-download.js";
import { newSessions, sniSessions } from "./sessions.js";

/** In the order of the report. */
export const UDP_ROWS: readonly UdpRow[] = [...flowRows, quicDownload, newSessions, sniSessions, idle];
