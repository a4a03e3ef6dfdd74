/** What waits in a gateway for those who do not read, as it says itself. */
import { LoadError } from "../load/asking.js";

const FIGURE = /^sluice_hub_outbox_bytes (\d+)$/m;

/** Bytes, for all subscribers together. `port`: its admin port. */
export async function readOutboxes(port: number): Promise<number> {
	const response = await fetch(`http://127.0.0.1:${port}/metrics`);
	const found = FIGURE.exec(await response.text());
	if (found?.[1] === undefined)
		throw new LoadError("the gateway does not say what waits for its subscribers");
	return Number(found[1]);
}
