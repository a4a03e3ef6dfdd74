/**
 * The inspector's page in a real browser, used as a person would. With SLUICE_SCREENSHOT it writes the picture of docs/tunnels.md there:
 *
 *     SLUICE_SCREENSHOT=docs/images/inspector.png node --test dist/test/e2e/tunnel-inspector-page.test.js
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { type Page, startBrowser } from "../support/browser.js";
import { type InspectedTunnel, startInspectedTunnel, VISITED } from "../support/inspected-tunnel.js";
import { dial } from "../support/peers.js";
import { listening } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

const EVIL = `<img src=x onerror="document.title='broken'">`;

function startShop(scenario: Scenario): Promise<string> {
	const server = createServer(async (request, response) => {
		const body = await text(request);
		const path = request.url ?? "";
		if (path.startsWith("/orders")) {
			response
				.setHeader("Content-Type", "application/json")
				.setHeader("Set-Cookie", "session=8f2c; HttpOnly");
			response.statusCode = request.method === "POST" ? 201 : 200;
			response.end(
				JSON.stringify({ id: 1042, items: [{ sku: "A-7", count: 2 }], total: 39.9, sent: body.length }),
			);
		} else if (path === "/logo.png")
			response.setHeader("Content-Type", "image/png").end(Buffer.from([137, 80, 78, 71]));
		else if (path.startsWith("/search"))
			response.setHeader("Content-Type", "text/html").setHeader("X-Evil", EVIL).end(EVIL);
		else {
			response.statusCode = 404;
			response.end("no such page");
		}
	});
	return listening(scenario, server);
}

/** Head without Host and length, and a body. */
async function visit(scenario: Scenario, { port }: InspectedTunnel, line: string, body = ""): Promise<void> {
	const client = await dial(scenario, port);
	const length = body === "" ? "" : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
	client.end(
		`${line} HTTP/1.1\r\nHost: ${VISITED}\r\nAuthorization: Bearer eyJhbGciOiJFZERTQSJ9\r\nUser-Agent: shop/2.1\r\nConnection: close\r\n${length}\r\n${body}`,
	);
	await client.rest();
}

const rows = (count: number): string =>
	`document.querySelectorAll("#list li:not([hidden])").length === ${count}`;

/** Its background: light text on a dark page, or the other way round. */
function isDark(page: Page): Promise<boolean> {
	return page.evaluate<boolean>(
		`getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 128)`,
	);
}

scenario(
	"the page shows what passes as it passes, hides secrets, and sends again with one key",
	async (scenario) => {
		const tunnel = await startInspectedTunnel(scenario, await startShop(scenario));
		const page = await startBrowser(scenario);
		await page.open(tunnel.url, { width: 1_180, height: 800 });
		await page.until(`document.querySelector("#live.on")`);
		assert.match(await page.text("#requests"), /No requests yet/);

		// Nothing is loaded again: rows come by events.
		await visit(scenario, tunnel, "GET /missing");
		await page.until(rows(1));
		await visit(scenario, tunnel, "GET /logo.png");
		await visit(scenario, tunnel, `GET /search?q=${encodeURIComponent("<b>")}`);
		await visit(scenario, tunnel, "GET /orders/1042");
		await visit(scenario, tunnel, "POST /orders", '{"sku":"A-7","count":2}');
		await page.until(rows(5));
		await page.until(`document.querySelector("#list li .status").innerText === "201"`);

		// By keyboard: the newest first.
		await page.evaluate(`document.getElementById("list").focus()`);
		await page.press("ArrowDown");
		await page.until(`document.querySelector("#detail h2")?.innerText === "POST /orders"`);
		assert.match(await page.text("#response pre"), /"id": 1042,\n\s+"items": \[/);
		assert.match(await page.text("#request pre"), /"sku": "A-7"/);
		assert.match(await page.text("#detail .facts"), /First byte\s+[\d.]+ ms/);

		// Secrets, for this one exchange.
		assert.doesNotMatch(await page.text("body"), /eyJ|8f2c/);
		await page.press("s");
		await page.until(`document.getElementById("request").innerText.includes("Bearer eyJhbGciOiJFZERTQSJ9")`);
		assert.match(await page.text("#response"), /session=8f2c/);
		await page.press("s");
		await page.until(`!document.getElementById("request").innerText.includes("eyJ")`);
		await page.press("s");
		await page.until(`document.getElementById("request").innerText.includes("eyJ")`);
		await page.press("j");
		await page.until(`document.querySelector("#detail h2")?.innerText === "GET /orders/1042"`);
		assert.doesNotMatch(await page.text("body"), /eyJ|8f2c/);

		// Again, by a key and by the button.
		await page.press("r");
		await page.until(rows(6));
		await page.until(`/Replay of\\s+request 4/.test(document.querySelector("#detail .facts")?.innerText)`);
		await page.until(`document.querySelector("#detail .facts").innerText.includes("200, done")`);
		await page.click("#replay");
		await page.until(rows(7));
		await page.until(`/Replay of\\s+request 6/.test(document.querySelector("#detail .facts")?.innerText)`);

		// Bytes.
		await page.press("/");
		for (const letter of "logo") await page.press(letter);
		await page.until(rows(1));
		await page.press("Escape");
		await page.press("Home");
		await page.until(`document.querySelector("#response pre.hex")?.innerText.includes("89 50 4e 47")`);

		// What comes from outside is text, and never part of the page.
		await page.evaluate(`document.getElementById("filter").value = "search"`);
		await page.evaluate(`document.getElementById("filter").dispatchEvent(new Event("input"))`);
		await page.until(rows(1));
		await page.click("#list li:not([hidden])");
		await page.until(`document.querySelector("#response pre")?.innerText.includes("<img src=x")`);
		assert.equal(await page.evaluate(`document.querySelectorAll("img").length`), 0);
		assert.equal(await page.evaluate("document.title"), "Sluice inspector");

		await page.evaluate(`document.getElementById("filter").value = ""`);
		await page.evaluate(`document.getElementById("filter").dispatchEvent(new Event("input"))`);
		await page.until(rows(7));
		for (const [scheme, dark] of [
			["dark", true],
			["light", false],
		] as const) {
			await page.call("Emulation.setEmulatedMedia", {
				features: [{ name: "prefers-color-scheme", value: scheme }],
			});
			assert.equal(await isDark(page), dark, scheme);
		}
		await page.click("#x5");
		await page.until(`document.querySelector("#detail h2")?.innerText === "POST /orders"`);
		const picture = await page.screenshot();
		assert.deepEqual(
			[...picture.subarray(1, 4)],
			[..."PNG"].map((letter) => letter.charCodeAt(0)),
		);
		const { SLUICE_SCREENSHOT: file } = process.env;
		if (file !== undefined) writeFileSync(file, picture);

		await page.click("#clear");
		await page.until(rows(0));
		assert.deepEqual(await tunnel.list(), []);
		assert.deepEqual(page.faults, []);
		assert.ok(page.requests.length > 0);
		assert.deepEqual(
			page.requests.filter((url) => !url.startsWith(`${tunnel.url}/`)),
			[],
		);

		// Its agent gone, it says so.
		await tunnel.agent.stop();
		await page.until(`document.getElementById("live").innerText.includes("not connected")`);
	},
	{ needs: ["chromium"] },
);
