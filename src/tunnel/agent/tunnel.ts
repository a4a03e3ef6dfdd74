/** What an agent knows of one of its tunnels. */
import type { AgentEvent } from "./events.js";
import type { TunnelSettings } from "./settings.js";

/**
 * `waiting`: not asked for on this connection, or to be asked for again. `refused`: for good.
 */
export type TunnelState = "waiting" | "asked" | "open" | "refused";

export class Tunnel {
	/** As the gateway knows it: another one for each time that it is opened. */
	number = -1;
	settings: TunnelSettings;
	state: TunnelState = "waiting";
	/** Its lines come without TLS. */
	plain = false;
	/** When it is asked for again. */
	retryTimer: NodeJS.Timeout | undefined;
	/** It is asked for as soon as its local service has been looked at. */
	isHeldBack = false;
	/** How often it was refused, one after the other. */
	refusals = 0;

	constructor(settings: TunnelSettings) {
		this.settings = settings;
	}

	get name(): string {
		return this.settings.name;
	}

	/** The connection is gone, or it is not wanted any more. */
	leave(): void {
		clearTimeout(this.retryTimer);
		this.isHeldBack = false;
		if (this.state !== "refused") this.state = "waiting";
	}

	opened(addresses: readonly string[]): AgentEvent {
		const { name, kind, local } = this.settings;
		return { event: "tunnel_opened", tunnel: name, kind, addresses, local: local.text };
	}
}
