/** Clients that are turned away. */
import type { TcpNetConnectOpts } from "node:net";
import { dial } from "./peers.js";
import type { Scenario } from "./scenario.js";

/**
 * Connects and says nothing, and waits until it is over: "ended", or the error that cut it off. A reset that
 * comes with the handshake makes connecting itself fail.
 */
export async function fate(
	scenario: Scenario,
	port: number,
	options: Partial<TcpNetConnectOpts> = {},
): Promise<string> {
	try {
		const client = await dial(scenario, port, options);
		return await client.over();
	} catch (error) {
		return (error as NodeJS.ErrnoException).code ?? String(error);
	}
}
