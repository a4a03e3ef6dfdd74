/** Processes of this package that take orders on standard input and send news on standard output, a JSON line each. */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { INSPECTOR_FLAGS } from "../kernel/inspector-signal.js";
import { isEnding, type OwnedProcess, ownProcess, stopProcess } from "./processes.js";

/** A helper answers at once; only a machine that stands still is slower. */
const ANSWER_MS = 30_000;

const STOP_GRACE_MS = 1000;

export interface HelperOptions {
	readonly args?: readonly string[];
	/** Of Node, before the script. */
	readonly flags?: readonly string[];
	/** A command that runs the one behind it, such as `ip netns exec NAME`. */
	readonly through?: readonly string[];
	/** Where its standard error goes. Default: to ours. */
	readonly stderr?: "inherit" | "ignore";
	/** How long an answer may take. Default: 30 s; `null`: as long as the helper lives. */
	readonly answerMs?: number | null;
}

export class Helper<Order, News> {
	readonly #owned: OwnedProcess;
	readonly #name: string;
	readonly #answerMs: number | null;
	#hear: ((news: News) => void) | null = null;
	/** What came when nobody heard, for whoever asks next. */
	readonly #unheard: News[] = [];
	#failed: (error: Error) => void = () => {};
	#stopped = false;

	/** Rejects when the helper ends by itself. Nobody need wait for it. */
	readonly failure: Promise<never>;

	/** `script`: `new URL("attacker.js", import.meta.url)` */
	constructor(script: URL, options: HelperOptions = {}) {
		const { args = [], flags = [], through = [], stderr = "inherit", answerMs = ANSWER_MS } = options;
		const path = fileURLToPath(script);
		this.#name = path.replace(/^.*\/dist\//, "");
		this.#answerMs = answerMs;
		const node = [process.execPath, ...INSPECTOR_FLAGS, ...flags];
		const [command = "", ...rest] = [...through, ...node, path, ...args];
		this.#owned = ownProcess(command, rest, { stdio: ["pipe", "pipe", stderr], detached: true });
		this.failure = new Promise((_, reject) => {
			this.#failed = reject;
		});
		this.failure.catch(() => {});
		const { stdin, stdout } = this.#owned.child;
		if (stdin === null || stdout === null) throw new Error("pipes were asked for");
		stdin.on("error", () => {});
		const lines = createInterface({ input: stdout });
		lines.on("line", (line) => this.#take(JSON.parse(line) as News));
		// Its last news is heard before its end.
		const closed = new Promise((resolve) => lines.once("close", resolve));
		void Promise.all([this.#owned.ended, closed]).then(([how]) => {
			if (!this.#stopped && !isEnding()) this.#failed(new Error(`${this.#name} ended: ${how}`));
		});
	}

	#take(news: News): void {
		if (this.#hear === null) this.#unheard.push(news);
		else this.#hear(news);
	}

	/** Who hears the news. */
	listen(hear: (news: News) => void): void {
		this.#hear = hear;
		for (const news of this.#unheard.splice(0)) hear(news);
	}

	order(order: Order): void {
		this.#owned.child.stdin?.write(`${JSON.stringify(order)}\n`);
	}

	/** The next news, whatever it is: for helpers that say one thing for each that they are asked. */
	next(): Promise<News> {
		return this.answer((_news): _news is News => true);
	}

	/** The first news that is looked for; others go to `listen`'s, or wait for whoever asks next. */
	async answer<Wanted extends News>(isWanted: (news: News) => news is Wanted): Promise<Wanted> {
		const at = this.#unheard.findIndex(isWanted);
		// It was found by this very test.
		if (at >= 0) return this.#unheard.splice(at, 1)[0] as Wanted;
		const before = this.#hear;
		let timer: NodeJS.Timeout | undefined;
		const answered = new Promise<Wanted>((resolve, reject) => {
			this.#hear = (news) => {
				if (isWanted(news)) {
					this.#hear = before;
					resolve(news);
				} else if (before === null) this.#unheard.push(news);
				else before(news);
			};
			if (this.#answerMs !== null)
				timer = setTimeout(() => reject(new Error(`${this.#name} did not answer`)), this.#answerMs);
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
