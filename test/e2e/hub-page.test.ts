/**
 * The page of examples/hub in a real browser, as a person would use it, and as bad networks and slow machines do. With SLUICE_SCREENSHOT it
 * writes the picture of docs/hub.md there:
 *
 *     SLUICE_SCREENSHOT=docs/images/hub.png node --test dist/test/e2e/hub-page.test.js
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { freeAddress } from "../support/addresses.js";
import { type Page, startBrowser } from "../support/browser.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { publish } from "../support/hub.js";
import { ROOT } from "../support/pieces.js";
import { start } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

const EXAMPLE = readFileSync(`${ROOT}examples/hub.yaml`, "utf8");
/** Together more than sockets on both sides take, and a browser behind them. */
const MANY = 300;
const LONG_BYTES = 60_000;
const PANELS = ["websocket", "events"] as const;

/** The example, where nobody else is. */
function exampleAt(page: string, site: string): string {
	return EXAMPLE.replace("listen: 127.0.0.1:8080", `listen: ${page}`)
		.replace("listen: 127.0.0.1:7000", "listen: 127.0.0.1:0")
		.replace("admin: 127.0.0.1:9090", "admin: 127.0.0.1:0")
		.replace("127.0.0.1:3000", site)
		.replace(/^hub:$/m, "hub:\n  retry: 1h");
}

/** Numbered as the service of the example numbers them. */
class Publisher {
	readonly #run: string;
	#n = 0;

	constructor(run: string) {
		this.#run = run;
	}

	async publish(gateway: Gateway, count: number, padding = 0): Promise<void> {
		await publish(gateway, "prices", ...Array.from({ length: count }, () => this.#message(padding)));
	}

	#message(padding: number): string {
		const pad = padding === 0 ? {} : { pad: "x".repeat(padding) };
		return JSON.stringify({
			run: this.#run,
			n: ++this.#n,
			at: Date.now(),
			price: 100 + (this.#n % 7),
			...pad,
		});
	}
}

function figure(page: Page, panel: string, name: string): Promise<number> {
	return page.evaluate<number>(`Number(document.querySelector("#${panel} .${name}").textContent)`);
}

/** Both panels show the newest message: nothing is under way any more. */
async function isLevel(page: Page, gateway: Gateway): Promise<void> {
	const { body } = await gateway.admin("/api/hub/prices");
	const { last_id: lastId } = JSON.parse(body) as { last_id: string };
	for (const panel of PANELS)
		await page.until(`document.querySelector("#${panel} .id").textContent === "${lastId}"`);
}

async function nothingIsUnexplained(page: Page): Promise<void> {
	for (const panel of PANELS)
		assert.deepEqual(
			[panel, await figure(page, panel, "unexplained"), await figure(page, panel, "twice")],
			[panel, 0, 0],
			await page.text(`#${panel}`),
		);
}

function live(page: Page, connections: number, panels: readonly string[] = PANELS): Promise<unknown> {
	return Promise.all(
		panels.map((panel) =>
			page.until(
				`document.querySelector("#${panel}")?.dataset.state === "live" && document.querySelector("#${panel} .connections").textContent === "${connections}"`,
			),
		),
	);
}

function keepPicture(picture: Buffer): void {
	const { SLUICE_SCREENSHOT: file } = process.env;
	if (file !== undefined) writeFileSync(file, picture);
}

scenario(
	"a page receives over WebSocket and event stream: dropped, stalled, reloaded and restarted, it has all, or is told what it has not",
	async (scenario) => {
		const address = await freeAddress();
		const gateway = await startGateway(scenario, exampleAt(address.text, "127.0.0.1:1"));
		const site = start(scenario, { path: process.execPath }, [`${ROOT}examples/hub/site.mjs`], {
			env: { PORT: "0", ADMIN: `http://127.0.0.1:${gateway.adminPort}` },
		});
		const [, sitePort] = await site.printed(/the page: port (\d+)/);
		gateway.write(exampleAt(address.text, `127.0.0.1:${sitePort}`));
		assert.equal((await gateway.hangUp()).message, "reloaded");

		const page = await startBrowser(scenario, address.host);
		await page.open(`http://${address.text}/`, { width: 1_180, height: 760 });
		await live(page, 1);
		for (const panel of PANELS)
			await page.until(`Number(document.querySelector("#${panel} .received").textContent) > 5`);

		// Dropped: what came meanwhile is sent again.
		for (const panel of PANELS) await page.click(`#${panel} .drop`);
		await live(page, 2);
		assert.match(await page.text("#websocket .notices"), /missed messages follow/);
		await nothingIsUnexplained(page);

		// The tab does nothing at all for a while, which is nothing for a hub.
		await page.click("#stall");
		await site.stop();
		await isLevel(page, gateway);
		await nothingIsUnexplained(page);
		for (const panel of PANELS) assert.equal(await figure(page, panel, "missed"), 0);

		// It hangs while much comes: sockets fill, and then the hub leaves out what is old, and says so. A reload changes nothing of that.
		const publisher = new Publisher("of the test");
		await page.call("Debugger.enable");
		const hung = page.evaluate("debugger");
		await publisher.publish(gateway, MANY, LONG_BYTES);
		gateway.write(exampleAt(address.text, "127.0.0.1:1").replace("messages: 1000", "messages: 900"));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		await page.call("Debugger.resume");
		await hung;
		await isLevel(page, gateway);
		await nothingIsUnexplained(page);
		for (const panel of PANELS) {
			assert.ok((await figure(page, panel, "missed")) > 0);
			assert.match(await page.text(`#${panel} .notices`), /messages were left out/);
		}
		await live(page, 2);
		keepPicture(await page.screenshot());

		// Frozen, as browsers do it with tabs in the background: Chromium closes the WebSocket, and takes no events.
		await page.call("Page.setWebLifecycleState", { state: "frozen" });
		await publisher.publish(gateway, 100);
		await page.call("Page.setWebLifecycleState", { state: "active" });
		await isLevel(page, gateway);
		await nothingIsUnexplained(page);

		// An operator closes both: they come back.
		const connections = await Promise.all(PANELS.map((panel) => figure(page, panel, "connections")));
		const comeBack = async (times: number): Promise<void> => {
			for (const [index, panel] of PANELS.entries())
				await live(page, (connections[index] ?? 0) + times, [panel]);
		};
		await gateway.admin("/api/sessions/close?all=true", "POST");
		await comeBack(1);
		await publisher.publish(gateway, 1);
		await isLevel(page, gateway);
		await nothingIsUnexplained(page);

		// The gateway ends, and another begins, which knows nothing of before.
		await gateway.stop();
		for (const panel of PANELS)
			assert.match(await page.text(`#${panel} .notices`), /waiting: the gateway ends; again in \d+ ms/);
		const next = await startGateway(scenario, exampleAt(address.text, "127.0.0.1:1"));
		await page.evaluate(`dispatchEvent(new Event("online"))`);
		await comeBack(2);
		await publisher.publish(next, 3);
		await isLevel(page, next);
		await nothingIsUnexplained(page);
		for (const panel of PANELS) assert.match(await page.text(`#${panel} .notices`), /too_old: .* is gone/);
		await page.call("Browser.close");
	},
	{ needs: ["chromium"] },
);
