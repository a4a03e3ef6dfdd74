/** What systemd does for a service, as far as the service sees it: a socket at which it is told how the service is. */
import assert from "node:assert/strict";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { encodeAbstract, encodeUnix } from "../../src/kernel/sockaddr.js";
import { closeDescriptor } from "../../src/kernel/sockets.js";
import type { Scenario } from "./scenario.js";
import { eventually } from "./waiting.js";

/** What one datagram says. */
export type Said = ReadonlyMap<string, string>;

export class NotifyEnd {
	/** As `NOTIFY_SOCKET` has it. */
	readonly name: string;
	/** All that was said, in its order. */
	readonly said: Said[] = [];
	readonly #fd: number;

	constructor(name: string) {
		this.name = name;
		this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		const address = name.startsWith("@") ? encodeAbstract(name.slice(1)) : encodeUnix(name);
		assert.equal(libc.bind(this.#fd, libc.addressOf(address), address.length), 0);
	}

	/** The first datagram from `from` on that says this (`READY=1`), and its place. */
	async hears(line: string, from = 0): Promise<{ readonly said: Said; readonly place: number }> {
		const [name = "", value] = line.split("=");
		return eventually(
			() => {
				this.#take();
				const place = this.said.findIndex((said, index) => index >= from && said.get(name) === value);
				const said = this.said[place];
				return said === undefined ? undefined : { said, place };
			},
			() => `${line} was not said, but ${JSON.stringify(this.said.map((each) => [...each]))}`,
		);
	}

	close(): void {
		closeDescriptor(this.#fd);
	}

	#take(): void {
		const room = new Uint8Array(4_096);
		for (;;) {
			const length = libc.recv(this.#fd, libc.addressOf(room), room.length, 0);
			if (length < 0) return;
			const lines = new TextDecoder().decode(room.subarray(0, length)).split("\n");
			this.said.push(
				new Map(lines.map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)])),
			);
		}
	}
}

/** A socket that ends with the scenario. */
export function notifyEnd(scenario: Scenario, name: string): NotifyEnd {
	const end = new NotifyEnd(name);
	scenario.defer(() => end.close());
	return end;
}

/** Starts the command behind it as systemd does a service that is given sockets: the first of them is its descriptor 3. */
export function passing(names: readonly string[]): string[] {
	const said = `LISTEN_FDS=${names.length} LISTEN_FDNAMES=${names.join(":")}`;
	return ["sh", "-c", `export LISTEN_PID=$$ ${said}; exec "$@"`, "sh"];
}
