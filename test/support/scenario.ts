/** One end-to-end test: it says what it needs, and everything it starts ends with it, also when it fails. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Need, notRunBecause } from "./needs.js";
import { TEST_MS } from "./waiting.js";

export class Scenario {
	readonly context: TestContext;
	/** The body threw: cleaning up then ends things, and no longer checks them. */
	failed = false;
	readonly #ends: (() => unknown)[] = [];
	#directory: string | undefined;

	constructor(context: TestContext) {
		this.context = context;
	}

	/** Runs when the scenario is over, the last one first. */
	defer(end: () => unknown): void {
		this.#ends.push(end);
	}

	/** A directory of its own. */
	get directory(): string {
		if (this.#directory === undefined) {
			const directory = mkdtempSync(join(tmpdir(), "sluice-e2e-"));
			this.#directory = directory;
			// First in, last out: whatever writes there has ended by then.
			this.#ends.unshift(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
		}
		return this.#directory;
	}

	/** Runs what was deferred; every end gets its turn, and the first failure is reported. */
	async close(): Promise<void> {
		let failure: unknown;
		for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) {
			try {
				await end();
			} catch (error) {
				failure ??= error;
				this.failed = true;
			}
		}
		if (failure !== undefined) throw failure;
	}
}

export interface ScenarioOptions {
	/** Programs and abilities of the machine without which it cannot run; the runner says what was not run. */
	readonly needs?: readonly Need[];
	/** How long it may take, where that is more than TEST_MS. */
	readonly mostMs?: number;
}

export function scenario(
	sentence: string,
	body: (scenario: Scenario) => Promise<void>,
	{ needs = [], mostMs = TEST_MS }: ScenarioOptions = {},
): void {
	const skip = notRunBecause(sentence, needs);
	test(sentence, { timeout: mostMs, skip: skip ?? false }, async (context) => {
		const running = new Scenario(context);
		// Node calls this also after a timeout, when the body below never returns.
		context.after(() => running.close());
		try {
			await body(running);
		} catch (error) {
			running.failed = true;
			throw error;
		}
	});
}
