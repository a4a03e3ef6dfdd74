/**
 * The dashboard in a real browser, used as a person would, by mouse and by keyboard, in the light and in the dark, on a desk and on a
 * phone. With SLUICE_SCREENSHOTS it writes the pictures of the documents there:
 *
 *     SLUICE_SCREENSHOTS=docs/images node --test dist/test/e2e/dashboard.test.js
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openAdmin } from "../../src/admin/server.js";
import type { LiveSession, SessionDesk } from "../../src/admin/session-view.js";
import { viewOf } from "../admin/view.js";
import { type Page, startBrowser } from "../support/browser.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PLACES = [
	...["", "sessions", "ended", "listeners", "upstreams", "sources", "tunnels", "hub", "gateway", "api"],
] as const;

async function startShown(scenario: Scenario): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
hub: { channels: [ { match: news, subscribe: public } ] }
tunnels:
  listen: 127.0.0.1:0
  insecure: true
  domain: t.test
  agents: [ { id: home, public_key: "kDHCDoIsa0cXLjlRXO5jr7uPu913jCo34lbFr3lDrUk", names: [app] } ]
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { protocol: ssh, to: git }
      - { host: push.test, path: /channels/, to: hub }
      - { to: web }
upstreams:
  web: ${upstream.address}
  git: ${upstream.address}
`,
	);
}

async function connected(scenario: Scenario, gateway: Gateway, hello: string): Promise<Peer> {
	const peer = await dial(scenario, gateway.port());
	peer.socket.write(`${hello}\r\n`);
	await peer.expect(`${hello}\r\n`);
	return peer;
}

/** What axe finds wrong with what is shown. */
async function faultsOf(page: Page): Promise<string[]> {
	if (!(await page.evaluate<boolean>("typeof axe === 'object'"))) await page.evaluate(`${AXE};0`);
	return page.evaluate<string[]>(
		`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + " " + target + " " + failureSummary)))`,
	);
}

async function visit(page: Page, hash: string): Promise<void> {
	await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
}

async function shade(page: Page, value: "dark" | "light"): Promise<void> {
	await page.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
}

async function picture(page: Page, name: string): Promise<void> {
	const { SLUICE_SCREENSHOTS: folder } = process.env;
	if (folder !== undefined) writeFileSync(join(folder, `${name}.png`), await page.screenshot());
}

/** For the pictures: some seconds of coming and going. */
async function busy(scenario: Scenario, gateway: Gateway): Promise<void> {
	if (process.env["SLUICE_SCREENSHOTS"] === undefined) return;
	for (let second = 0; second < 25; second++) {
		for (let index = 0; index < 12 + 8 * (second % 5); index++) {
			const kind = index % 4;
			const peer = await dial(scenario, gateway.port());
			peer.socket.write(
				kind === 0 ? "SSH-2.0-x\r\n" : kind === 1 ? "GET / HTTP/1.1\r\nHost: a\r\n\r\n" : "hello\r\n",
			);
			peer.socket.write("x".repeat(4_000 * (1 + (second % 7))));
			if (index % 3 === 0) peer.socket.end();
			if (index % 7 === 0) peer.socket.resetAndDestroy();
		}
		await setTimeout(900);
	}
}

const tile = (name: string): string =>
	`[...document.querySelectorAll(".tiles li")].find((each) => each.querySelector(".name").textContent === ${JSON.stringify(name)})`;

scenario(
	"figures come by themselves, each leads to what it is made of, and a session is closed there",
	async (scenario) => {
		const gateway = await startShown(scenario);
		const page = await startBrowser(scenario);
		await page.open(`http://127.0.0.1:${gateway.adminPort}/`, { width: 1_280, height: 860 });
		await page.until(`document.querySelector("#live.on")?.textContent === "ready"`);
		await page.until(`${tile("Sessions")}?.querySelector("strong").textContent === "0"`);

		const peers = [];
		for (let index = 0; index < 5; index++)
			peers.push(await connected(scenario, gateway, index < 3 ? `SSH-2.0-${index}` : "hello"));
		await page.until(`${tile("Sessions")}.querySelector("strong").textContent === "5"`);
		await page.until(`document.querySelectorAll("canvas").length >= 8`);
		await page.until(
			`[...document.querySelectorAll(".bars a")].some((each) => each.textContent === "ssh" && each.parentElement.querySelector(".count").textContent === "3")`,
		);
		assert.match(
			await page.evaluate<string>(`document.querySelector("figure [role=img]").getAttribute("aria-label")`),
			/^Sessions, now: live 5$/,
		);
		await busy(scenario, gateway);
		await picture(page, "dashboard");

		// From a share to its sessions, and to one of them.
		await page.evaluate(
			`[...document.querySelectorAll(".bars a")].find((each) => each.textContent === "ssh").click()`,
		);
		await page.until(`document.querySelectorAll(".rows .row").length >= 3`);
		assert.match(await page.text(".tools"), /^\d+ of \d+/);
		await page.evaluate(`document.querySelector(".grid").focus()`);
		await page.press("ArrowDown");
		await page.press("ArrowDown");
		assert.equal(
			await page.evaluate(
				`document.getElementById(document.querySelector(".grid").getAttribute("aria-activedescendant")).dataset.row`,
			),
			"1",
		);
		await page.press("Enter");
		await page.until(`/^#\\/sessions\\/\\d+$/.test(location.hash) && document.querySelector(".timeline")`);
		const id = Number((await page.evaluate<string>("location.hash")).split("/").at(-1));
		assert.match(await page.text(".timeline"), /connected after .*relaying for/s);
		assert.match(await page.text(".facts"), /route\s+protocol=ssh/);
		await picture(page, "session");

		// Asked once; Escape does nothing.
		await page.click("#close");
		await page.until(`document.getElementById("change-dialog").open`);
		await page.press("Escape");
		await page.until(`!document.getElementById("change-dialog").open`);
		assert.match(await page.text(".timeline"), /now after/);
		await page.click("#close");
		await page.until(`document.getElementById("change-dialog").open`);
		await page.click("#change-do");
		await page.until(`document.querySelector(".timeline")?.innerText.includes("operator")`);
		assert.equal((await gateway.session((session) => session.id === id)).reason, "operator");

		await visit(page, "#/ended?reason=operator");
		await page.until(`document.querySelectorAll(".rows .row").length === 1`);
		assert.match(await page.text(".rows .row"), /operator/);

		await shade(page, "dark");
		await visit(page, "#/sessions?sort=bytes");
		await page.until(`document.querySelectorAll(".rows .row").length >= 4`);
		await picture(page, "sessions");

		// What is shown is text, whatever a client says.
		assert.equal(await page.evaluate(`document.querySelectorAll("img, iframe, object").length`), 0);
		// It may end between two questions of the page, of which the second is answered 404.
		const faults = page.faults.filter((fault) => !fault.includes(`/api/sessions/${id}`));
		assert.deepEqual(faults, []);
		assert.deepEqual(
			page.requests.filter((url) => !url.startsWith(`http://127.0.0.1:${gateway.adminPort}/`)),
			[],
			"nothing is fetched from elsewhere",
		);
	},
	{ needs: ["chromium"] },
);

scenario(
	"every place can be used by who cannot see it, in the light and in the dark, on a desk and on a phone",
	async (scenario) => {
		const gateway = await startShown(scenario);
		const page = await startBrowser(scenario);
		await connected(scenario, gateway, "SSH-2.0-x");
		const address = `http://127.0.0.1:${gateway.adminPort}/`;
		await page.open(address, { width: 1_280, height: 860 });
		await page.until(`document.querySelector("#live.on") && document.querySelectorAll("canvas").length >= 8`);
		for (const value of ["light", "dark"] as const) {
			await shade(page, value);
			for (const place of PLACES) {
				await visit(page, `#/${place}`);
				await page.until(`document.querySelector('nav a[aria-current]')?.hash === "#/${place}"`);
				await page.until(`document.querySelector("#view").innerText.length > 30`);
				assert.deepEqual(await faultsOf(page), [], `${place}, ${value}`);
			}
		}
		await visit(page, "#/sessions");
		await page.until(`document.querySelectorAll(".rows .row").length === 1`);
		assert.deepEqual(await faultsOf(page), [], "a list with a row");

		await page.open(address, { width: 390, height: 800 });
		await page.until(`document.querySelector("#live.on")`);
		for (const place of PLACES) {
			await visit(page, `#/${place}`);
			await page.until(`document.querySelector("#view").innerText.length > 30`);
			assert.ok(
				await page.evaluate<boolean>("document.documentElement.scrollWidth <= 390"),
				`${place} fits a phone`,
			);
		}
		assert.deepEqual(page.faults, []);
	},
	{ needs: ["chromium"] },
);

scenario(
	"a token is asked for once, and who may only read changes nothing",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
admin_tokens: { full: "the-whole-of-it-0123", read: "only-to-look-0123456" }
listeners: [ { listen: 127.0.0.1:0, routes: [ { to: web } ] } ]
upstreams: { web: ${upstream.address} }
`,
			{ token: "the-whole-of-it-0123" },
		);
		const page = await startBrowser(scenario);
		const give = async (token: string): Promise<void> => {
			await page.until(`document.getElementById("token-dialog")?.open`);
			await page.evaluate(`document.getElementById("token").value = ${JSON.stringify(token)}`);
			await page.click("#token-dialog button[value=ok]");
		};
		await page.open(`http://127.0.0.1:${gateway.adminPort}/`, { width: 1_000, height: 700 });
		await give("only-to-look-0123456");
		await page.until(`document.querySelector("#live.on")`);
		await visit(page, "#/listeners");
		await page.until(`document.querySelector("td button")`);
		await page.click("td button");
		await page.until(`document.getElementById("change-dialog").open`);
		await page.click("#change-do");
		await page.until(
			`document.querySelector("#notices .fault")?.textContent.includes("may read, and not change")`,
		);
		assert.match(await page.text("#view"), /accepts/);

		await page.click("#token-button");
		await give("the-whole-of-it-0123");
		await page.until(`document.querySelector("#live.on")`);
		await page.click("td button");
		await page.until(`document.getElementById("change-dialog").open`);
		await page.click("#change-do");
		await page.until(`document.getElementById("view").innerText.includes("paused by an operator")`);
		await page.click("td button");
		await page.until(`document.getElementById("change-dialog").open`);
		await page.click("#change-do");
		await page.until(`!document.getElementById("view").innerText.includes("paused by an operator")`);
		assert.ok((await page.evaluate<string>("document.documentElement.innerHTML")).includes("Listeners"));
		assert.ok(
			!(await page.evaluate<string>("document.documentElement.innerHTML")).includes("the-whole-of-it"),
		);
	},
	{ needs: ["chromium"] },
);

const MADE_UP = 100_000;

/** So many sessions, of which only those that are asked for are made. */
const MANY: SessionDesk = {
	...viewOf().sessions(),
	list(_, { offset, limit }) {
		const count = Math.max(0, Math.min(limit, MADE_UP - offset));
		return {
			...{ total: MADE_UP, matched: MADE_UP },
			sessions: Array.from({ length: count }, (__, index) => madeUp(offset + index)),
		};
	},
};

function madeUp(id: number): LiveSession {
	return {
		...{ id, reactor: 0, listener: "0.0.0.0:443", route: `sni=app-${id % 97}.example.com`, protocol: "tls" },
		...{
			name: `app-${id % 97}.example.com`,
			source: `10.0.${(id >> 8) & 255}.${id & 255}:${1_024 + (id % 60_000)}`,
		},
		...{ upstream: "web", address: "10.0.0.6:443", state: "relaying", secured: null },
		...{ accepted: new Date(0).toISOString(), recognized: null, connected: null },
		...{ bytes_from_client: id, bytes_to_client: 10 * id, buffered_bytes: 0, age_ms: id, idle_ms: id },
	};
}

scenario(
	"a list of 100,000 sessions has elements for those in sight, and any of them is a key press away",
	async (scenario) => {
		const admin = await openAdmin({ host: "127.0.0.1", port: 0 }, viewOf({ sessions: () => MANY }));
		scenario.defer(() => admin.close());
		const { port } = admin.server.address() as AddressInfo;
		const page = await startBrowser(scenario);
		await page.open(`http://127.0.0.1:${port}/#/sessions`, { width: 1_280, height: 800 });
		await page.until(`document.querySelector(".rows .row")?.innerText.includes("app-0.example.com")`);
		assert.equal(
			await page.evaluate(`document.querySelector(".grid").getAttribute("aria-rowcount")`),
			String(MADE_UP + 1),
		);
		const elements = (): Promise<number> => page.evaluate(`document.querySelectorAll(".rows .row").length`);
		assert.ok((await elements()) < 60);
		await page.evaluate(`document.querySelector(".grid").focus()`);
		await page.press("End");
		await page.until(
			`document.querySelector("[data-row='${MADE_UP - 1}']")?.innerText.includes("${MADE_UP - 1}")`,
		);
		assert.ok((await elements()) < 60);
		// To and fro, a frame at a time.
		await page.evaluate(
			`(async () => { const grid = document.querySelector(".grid"); for (let at = 0; at < 60; at++) { grid.scrollTop = (at * 7919 % 100) * 30000; await new Promise(requestAnimationFrame); } grid.scrollTop = 50000 * 30; })()`,
		);
		await page.until(`document.querySelector("[data-row='50000']")?.innerText.includes("50000")`);
		assert.ok((await elements()) < 60);
		assert.deepEqual(page.faults, []);
	},
	{ needs: ["chromium"] },
);
