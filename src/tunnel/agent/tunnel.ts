/** What an agent knows of one of its tunnels. */
import { hasPort, isEndToEnd, type MessageOf, nameWithTransport } from "../../protocol/tunnel/index.js";
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
	/** The gateway ends a session of datagrams after so long without any; `undefined`: it has not said so. */
	idleMs: number | undefined;
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
		return nameWithTransport(this.settings);
	}

	/** The connection is gone, or it is not wanted any more. */
	leave(): void {
		clearTimeout(this.retryTimer);
		this.isHeldBack = false;
		if (this.state !== "refused") this.state = "waiting";
	}

	/** Asks for it. */
	open(): MessageOf<"open"> {
		const { kind, name, port, plain, allow, connections, bytesPerSecond, basicAuth } = this.settings;
		return {
			...{ type: "open", tunnel: this.number, kind, name },
			...(port === undefined ? {} : { port }),
			...(plain === true ? { plain } : {}),
			...(allow === undefined ? {} : { allow }),
			...(connections === undefined ? {} : { connections }),
			...(bytesPerSecond === undefined ? {} : { bytes_per_second: bytesPerSecond }),
			...(basicAuth === undefined ? {} : { basic_auth: basicAuth }),
		};
	}

	/** It is open, and not as it was asked for: why the agent does not want it so. `insecure`: it was told to do without TLS. */
	objectionTo(
		{ plain, basic_auth: asks }: MessageOf<"opened">,
		insecure: boolean,
	): { readonly code: string; readonly message: string } | undefined {
		const { kind, plain: mayBePlain, basicAuth } = this.settings;
		if (plain && !insecure && !isEndToEnd(kind) && !(hasPort(kind) && mayBePlain === true))
			return {
				code: "plain",
				message: "the gateway wants its lines without TLS, and this agent was not told that they may be",
			};
		if (basicAuth !== undefined && asks !== true)
			return {
				code: "basic_auth",
				message: "the gateway asks visitors for no password: it is too old for basic_auth",
			};
		return undefined;
	}

	/** It is open, as it was asked for. */
	opened({ addresses, plain, idle_ms: idleMs }: MessageOf<"opened">, insecure: boolean): AgentEvent {
		this.state = "open";
		this.refusals = 0;
		this.plain = plain || insecure;
		this.idleMs = idleMs;
		const { kind, local } = this.settings;
		return { event: "tunnel_opened", tunnel: this.name, kind, addresses, local: local.text };
	}
}
