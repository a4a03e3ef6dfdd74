/** A drill's end of its helpers: processes of this package that take orders and send news, a JSON line each. */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { INSPECTOR_FLAGS } from "../kernel/inspector-signal.js";
import { isEnding, type OwnedProcess, ownProcess, stopProcess } from "../rig/processes.js";

/** A helper answers at once; only a machine that stands still is slower. */
const ANSWER_MS = 30_000;

const STOP_GRACE_MS = 1000;

export class Helper<Order, News> {
	readonly #owned: OwnedProcess;
	readonly #file: string;
	#hear: (news: News) => void = () => {};
	#failed: (error: Error) => void = () => {};
	#stopped = false;

	/** Rejects when the helper ends by itself. Nobody need wait for it. */
	readonly failure: Promise<never>;

	/** `through`: a command that runs the one behind it, such as `ip netns exec NAME`. */
	constructor(file: string, args: readonly string[] = [], through: readonly string[] = []) {
		this.#file = file;
		const path = fileURLToPath(new URL(file, import.meta.url));
		const [command = "", ...rest] = [...through, process.execPath, ...INSPECTOR_FLAGS, path, ...args];
		this.#owned = ownProcess(command, rest, { stdio: ["pipe", "pipe", "inherit"], detached: true });
		this.failure = new Promise((_, reject) => {
			this.#failed = reject;
		});
		this.failure.catch(() => {});
		void this.#owned.ended.then((how) => {
			if (!this.#stopped && !isEnding()) this.#failed(new Error(`${file} ended: ${how}`));
		});
		const { stdin, stdout } = this.#owned.child;
		if (stdin === null || stdout === null) throw new Error("pipes were asked for");
		stdin.on("error", () => {});
		createInterface({ input: stdout }).on("line", (line) => this.#hear(JSON.parse(line) as News));
	}

	/** Who hears the news. */
	listen(hear: (news: News) => void): void {
		this.#hear = hear;
	}

	order(order: Order): void {
		this.#owned.child.stdin?.write(`${JSON.stringify(order)}\n`);
	}

	/** The first news that is looked for; others go to `listen`'s. */
	async answer<Wanted extends News>(isWanted: (news: News) => news is Wanted): Promise<Wanted> {
		const before = this.#hear;
		let timer: NodeJS.Timeout | undefined;
		const answered = new Promise<Wanted>((resolve, reject) => {
			this.#hear = (news) => {
				if (isWanted(news)) resolve(news);
				else before(news);
			};
			timer = setTimeout(() => reject(new Error(`${this.#file} did not answer`)), ANSWER_MS);
		});
		try {
			return await Promise.race([answered, this.failure]);
		} finally {
			clearTimeout(timer);
			this.#hear = before;
		}
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		// Its standard input ends, and so does it.
		this.#owned.child.stdin?.end();
		await stopProcess(this.#owned, STOP_GRACE_MS);
	}
}
