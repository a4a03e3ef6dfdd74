/** Chromium without a window, driven by its own protocol (CDP) over a WebSocket: one page, looked at as a person would. */
import { once } from "node:events";
import { join } from "node:path";
import { WebSocket } from "ws";
import { type Child, start } from "./processes.js";
import type { Scenario } from "./scenario.js";
import { eventually } from "./waiting.js";

interface Answer {
	readonly id?: number;
	readonly method?: string;
	readonly params?: Readonly<Record<string, unknown>>;
	readonly result?: Readonly<Record<string, unknown>>;
	readonly error?: { readonly message: string };
}

/** Keys that are no letters, as the protocol wants them. */
const KEY_CODES: Readonly<Record<string, number>> = {
	...{ ArrowDown: 40, ArrowUp: 38, Enter: 13, Escape: 27, Home: 36, End: 35, Tab: 9 },
};

export class Page {
	/** What went wrong in it: errors of scripts, of the console, and what its own rules have forbidden. */
	readonly faults: string[] = [];
	/** What it has asked for. */
	readonly requests: string[] = [];
	readonly #socket: WebSocket;
	readonly #waiting = new Map<number, (answer: Answer) => void>();
	#session: string | undefined;
	#calls = 0;

	constructor(socket: WebSocket) {
		this.#socket = socket;
		socket.on("message", (data) => this.#take(JSON.parse(String(data)) as Answer));
	}

	#take(answer: Answer): void {
		if (answer.id !== undefined) {
			this.#waiting.get(answer.id)?.(answer);
			this.#waiting.delete(answer.id);
			return;
		}
		const { method, params = {} } = answer;
		if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded" || isFault(method, params))
			this.faults.push(JSON.stringify(params));
		if (method === "Network.requestWillBeSent")
			this.requests.push((params["request"] as { url: string }).url);
	}

	async call(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
		const id = ++this.#calls;
		const session = this.#session === undefined ? {} : { sessionId: this.#session };
		this.#socket.send(JSON.stringify({ id, method, params, ...session }));
		const { result, error } = await new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
		if (error !== undefined) throw new Error(`${method}: ${error.message}`);
		return result ?? {};
	}

	/** Begins with a page of its own. */
	async attach(): Promise<void> {
		const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
		const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
		this.#session = String(sessionId);
		for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.call(`${domain}.enable`);
	}

	async open(
		url: string,
		{ width, height }: { readonly width: number; readonly height: number },
	): Promise<void> {
		await this.call("Emulation.setDeviceMetricsOverride", {
			width,
			height,
			deviceScaleFactor: 1,
			mobile: false,
		});
		await this.call("Page.navigate", { url });
	}

	/** The value of an expression there. */
	async evaluate<T>(expression: string): Promise<T> {
		const { result, exceptionDetails } = await this.call("Runtime.evaluate", {
			...{ expression, returnByValue: true, awaitPromise: true },
		});
		if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
		return (result as { value: T }).value;
	}

	/** Waits until an expression is true there. */
	async until(expression: string): Promise<void> {
		await eventually(
			async () => ((await this.evaluate<boolean>(`Boolean(${expression})`)) ? true : undefined),
			() => `it never holds: ${expression}; wrong in the page: ${this.faults.join("\n")}`,
		);
	}

	async press(key: string): Promise<void> {
		const code = KEY_CODES[key];
		const what = code === undefined ? { text: key } : { windowsVirtualKeyCode: code };
		await this.call("Input.dispatchKeyEvent", { type: "keyDown", key, ...what });
		await this.call("Input.dispatchKeyEvent", { type: "keyUp", key });
	}

	/** With the mouse, in the middle of the first element that fits. */
	async click(selector: string): Promise<void> {
		const { x, y } = await this.evaluate<{ x: number; y: number }>(
			`(({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 }))(document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect())`,
		);
		for (const type of ["mousePressed", "mouseReleased"])
			await this.call("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
	}

	async text(selector: string): Promise<string> {
		return this.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
	}

	async screenshot(): Promise<Buffer> {
		const { data } = await this.call("Page.captureScreenshot", { format: "png" });
		return Buffer.from(String(data), "base64");
	}
}

function isFault(method: string | undefined, params: Readonly<Record<string, unknown>>): boolean {
	return method === "Runtime.consoleAPICalled" && ["error", "warning"].includes(String(params["type"]));
}

/** Ends with the scenario. It knows no address but this one, of this machine, so that it leaves it for nothing. */
export async function startBrowser(scenario: Scenario, host = "127.0.0.1"): Promise<Page> {
	const browser: Child = start(scenario, "chromium", [
		...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"],
		...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
		...["--disable-dev-shm-usage", `--user-data-dir=${join(scenario.directory, "chromium")}`],
		...[`--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${host}`, "--remote-debugging-port=0"],
		"about:blank",
	]);
	const [, url = ""] = await browser.printed(/DevTools listening on (ws:\S+)/);
	const socket = new WebSocket(url);
	scenario.defer(() => socket.terminate());
	await once(socket, "open");
	const page = new Page(socket);
	await page.attach();
	return page;
}
