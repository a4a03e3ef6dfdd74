import type { Door } from "./datagram-clients.js";

/** What comes from nobody: its address is forged, or of somebody who listens to nothing. */
export class Stray {
	readonly door: Door;

	constructor(door: Door) {
		this.door = door;
	}
}
