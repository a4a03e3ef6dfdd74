/** The inspector of an agent: looks on while requests pass, and shows them on a page of this machine. */
import type { LookOn } from "../agent/onlooker.js";
import type { TunnelSettings } from "../agent/settings.js";
import { Exchanges } from "./exchanges.js";
import { Follower } from "./follower.js";
import { type ServedInspector, serveInspector } from "./server.js";

/** Of each body. */
const BODY_MAX_BYTES = 65_536;

/** Of all that is kept, for as many requests as anybody asks for. */
const TOTAL_MAX_BYTES = 32 * 1_048_576;

export interface InspectorPlace {
	/** On loopback. */
	readonly host: string;
	readonly port: number;
}

export class Inspector {
	/** For the agent. */
	readonly lookOn: LookOn = ({ name }) => new Follower(this.#exchanges, name);
	readonly #exchanges: Exchanges;

	/** `requests`: so many are kept. */
	constructor(requests: number) {
		this.#exchanges = new Exchanges({ most: requests, bodyMax: BODY_MAX_BYTES, bytesMax: TOTAL_MAX_BYTES });
	}

	/** Rejects when the address cannot be had. `tunnel`: as it is when a request is sent again. */
	serve(
		place: InspectorPlace,
		tunnel: (name: string) => TunnelSettings | undefined,
	): Promise<ServedInspector> {
		return serveInspector({ exchanges: this.#exchanges, tunnel }, place);
	}
}
