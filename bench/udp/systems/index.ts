import type { Roles } from "../../report.js";
import type { UdpSystem } from "../system.js";
import { bareRelay } from "./bare-relay.js";
import { envoy } from "./envoy.js";
import { nginx, nginxAgain } from "./nginx.js";
import { sluice } from "./sluice.js";

/** In the order of the report's columns. */
export const UDP_SYSTEMS: readonly UdpSystem[] = [sluice, nginx, nginxAgain, envoy, bareRelay];

export const ROLES: Roles = { subject: sluice.id, reference: nginx.id, again: nginxAgain.id };
