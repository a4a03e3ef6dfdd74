/** An address on loopback where connecting takes for ever. */
import { createConnection } from "node:net";
import { closeDescriptor, openListener } from "../../src/kernel/sockets.js";
import { CONNECTION } from "./connection-options.js";
import type { Scenario } from "./scenario.js";

/**
 * A listening socket from which nobody accepts, with its queue full: the kernel drops what asks further.
 * Returns its address.
 */
export async function openBlackhole(scenario: Scenario): Promise<string> {
	const { fds, port } = openListener(
		{
			address: Uint8Array.of(127, 0, 0, 1),
			port: 0,
			// Room for a single connection.
			backlog: 0,
			connection: CONNECTION,
		},
		1,
	);
	scenario.defer(() => fds.forEach(closeDescriptor));
	const occupant = createConnection(port, "127.0.0.1");
	scenario.defer(() => occupant.destroy());
	await new Promise<void>((resolve, reject) => {
		occupant.once("connect", resolve);
		occupant.once("error", reject);
	});
	return `127.0.0.1:${port}`;
}
