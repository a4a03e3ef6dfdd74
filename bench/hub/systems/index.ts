import type { Roles } from "../../report.js";
import type { HubSystem } from "../system.js";
import { bareHubs } from "./bare.js";
import { centrifugoServers } from "./centrifugo.js";
import { nchanServers } from "./nchan.js";
import { sluices } from "./sluice.js";
import { wsServers } from "./ws.js";

/** In the order of the report's columns: each with its variants behind it. */
export const HUB_SYSTEMS: readonly HubSystem[] = [
	...sluices,
	...wsServers,
	...nchanServers,
	...centrifugoServers,
	...bareHubs,
];

export const ROLES: Roles = { subject: "sluice", reference: "ws", again: "ws-again" };
