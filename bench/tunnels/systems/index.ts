import type { Roles } from "../../report.js";
import type { TunnelSystem } from "../system.js";
import { bore } from "./bore.js";
import { chisel } from "./chisel.js";
import { frp, frpPlain } from "./frp.js";
import { rathole, ratholeAgain, ratholeNoise } from "./rathole.js";
import { sluiceHttp, sluicePassthrough, sluicePlain, sluiceTls } from "./sluice.js";
import { ssh } from "./ssh.js";

export { rathole, ratholeNoise } from "./rathole.js";
export { sluiceHttp, sluicePlain, sluiceTls } from "./sluice.js";

/** In the order of the report's columns. */
export const TUNNEL_SYSTEMS: readonly TunnelSystem[] = [
	sluicePlain,
	sluiceTls,
	sluiceHttp,
	sluicePassthrough,
	rathole,
	ratholeAgain,
	ratholeNoise,
	bore,
	ssh,
	frp,
	frpPlain,
	chisel,
];

/** Those of others: the best of them is whom rates are compared with. */
export const PEERS: readonly string[] = [rathole, ratholeNoise, bore, ssh, frp, frpPlain, chisel].map(
	({ id }) => id,
);

export const ROLES: Roles = { subject: sluicePlain.id, reference: rathole.id, again: ratholeAgain.id };
