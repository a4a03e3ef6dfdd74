/** Clients that come, say one datagram, are answered, and are gone, each with a socket of its own. */
import { EPOLLIN } from "../../../src/kernel/constants.js";
import { DATAGRAM_PLACE_BYTES, type Datagrams, SENDER_PLACES } from "../../../src/kernel/datagrams.js";
import type { LinuxKernel } from "../../../src/kernel/linux.js";
import { i32 } from "../../../src/parts/at.js";
import { loopback } from "../../../src/rig/connect.js";
import { Deadline } from "../../../src/rig/deadline.js";
import { turn } from "../../../src/rig/turn.js";
import { openSocket, takeApart } from "./flows.js";
import { NAMED_BYTES, NAMES, SCRATCH_AT } from "./wire.js";

const TIMEOUT_MS = 60_000;
/** Clients say it once more when nobody was answered for so long. */
const SILENCE_MS = 200;

export interface Sessions {
	readonly port: number;
	readonly count: number;
	readonly concurrency: number;
	/** Of what is said and sent back; `null`: Initials are said. */
	readonly bytes: number | null;
	readonly initials: readonly Uint8Array[] | null;
}

/** Returns how many datagrams had to be said once more. */
export function runSessions(kernel: LinuxKernel, datagrams: Datagrams, sessions: Sessions): number {
	const { port, count, concurrency, bytes, initials } = sessions;
	if (initials !== null && initials.length < count)
		throw new Error(`there are ${initials.length} Initials for ${count} sessions`);
	const address = loopback(port);
	const fds = new Int32Array(concurrency).fill(-1);
	const serials = new Int32Array(concurrency);
	/** Which session a place is at. */
	const at = new Int32Array(concurrency);
	let begun = 0;
	let done = 0;
	const say = (place: number): void => {
		const initial = initials?.[i32(at, place)];
		if (initial !== undefined) datagrams.memory.set(initial, SCRATCH_AT);
		datagrams.send(i32(fds, place), SCRATCH_AT, initial?.length ?? bytes ?? 0);
	};
	const begin = (place: number): void => {
		if (begun === count) return;
		at[place] = begun++;
		const fd = openSocket(kernel, datagrams, address);
		// What is said once more may be answered twice.
		takeApart(kernel, fd);
		fds[place] = fd;
		kernel.readiness.add(fd, EPOLLIN, place, i32(serials, place));
		say(place);
	};
	const end = (place: number): void => {
		kernel.close(i32(fds, place));
		fds[place] = -1;
		serials[place] = i32(serials, place) + 1;
	};
	const hear = (place: number): void => {
		const received = datagrams.receive(i32(fds, place), SENDER_PLACES, 1);
		if (received < 0) return;
		checkAnswer(datagrams, sessions, i32(at, place));
		done++;
		end(place);
		begin(place);
	};
	const deadline = new Deadline(`${count} sessions of one datagram`, TIMEOUT_MS);
	let again = 0;
	try {
		for (let place = 0; place < concurrency; place++) begin(place);
		while (done < count) {
			if (turn(kernel, SILENCE_MS, { serials }, hear) > 0) continue;
			deadline.check(`${done} are answered`);
			for (let place = 0; place < concurrency; place++) {
				if (i32(fds, place) < 0) continue;
				say(place);
				again++;
			}
		}
	} finally {
		for (let place = 0; place < concurrency; place++) if (i32(fds, place) >= 0) end(place);
	}
	return again;
}

/** As long as was said, or the name's that was asked for. */
function checkAnswer(datagrams: Datagrams, { bytes }: Sessions, session: number): void {
	const length = datagrams.lengthOf(SENDER_PLACES);
	const first = datagrams.memory[SENDER_PLACES * DATAGRAM_PLACE_BYTES] as number;
	if (bytes !== null && length !== bytes) throw new Error(`an answer of ${length} bytes to ${bytes}`);
	if (bytes === null && (length !== NAMED_BYTES || first !== session % NAMES.length))
		throw new Error(`who asked for ${NAMES[session % NAMES.length]} was answered by ${NAMES[first]}`);
}
