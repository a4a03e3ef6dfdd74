/** One line on a terminal that says how it goes. Without a terminal there is none. */
import type { AttackStatus } from "./attack.js";
import type { Attempt } from "./messages.js";
import type { Target } from "./target.js";

const EVERY_MS = 200;

interface Seen {
	readonly attempts: readonly Attempt[];
	readonly attackers: AttackStatus;
}

export class Progress {
	readonly #stream: NodeJS.WriteStream | null;
	readonly #drill: string;
	#timer: NodeJS.Timeout | undefined;

	constructor(drill: string, stream: NodeJS.WriteStream) {
		this.#drill = drill;
		this.#stream = stream.isTTY ? stream : null;
	}

	phase(target: Target, name: string, look: () => Seen): void {
		const stream = this.#stream;
		if (stream === null) return;
		clearInterval(this.#timer);
		const started = performance.now();
		let before = look().attempts.length;
		let beforeAt = started;
		let rate = "";
		this.#timer = setInterval(() => {
			const { attempts, attackers } = look();
			const now = performance.now();
			// A second at a time: less would count the client's beats.
			if (now - beforeAt >= 1000) {
				const fresh = attempts.slice(before);
				const all = countOf(fresh);
				const good = countOf(fresh.filter(([, , failure]) => failure === null));
				rate = `  good client ${good}/s${all > good ? `, ${all - good} failed` : ""}`;
				before = attempts.length;
				beforeAt = now;
			}
			const seconds = ((now - started) / 1000).toFixed(1);
			const counted = attackers.ended > 0 ? `, ${attackers.ended} ended` : "";
			stream.write(
				`\r\x1b[K${this.#drill}: ${target.label}  ${name} ${seconds} s${rate}  attackers ${attackers.alive}${counted}`,
			);
		}, EVERY_MS);
	}

	end(): void {
		clearInterval(this.#timer);
		this.#stream?.write("\r\x1b[K");
	}
}

function countOf(attempts: readonly Attempt[]): number {
	return attempts.reduce((sum, [, , , count = 1]) => sum + count, 0);
}
