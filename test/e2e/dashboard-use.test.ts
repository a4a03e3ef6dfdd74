/** The dashboard under hands that are slower than its figures, and over a gateway that changes meanwhile: over views that are made up. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { GatewayStatus, Operations, UpstreamStatus } from "../../src/admin/operation-view.js";
import { openAdmin } from "../../src/admin/server.js";
import type { LiveSession, SessionDesk, SessionFilter } from "../../src/admin/session-view.js";
import type { AdminTokens, AdminView } from "../../src/admin/view.js";
import { viewOf } from "../admin/view.js";
import { type Page, startBrowser } from "../support/browser.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function serve(scenario: Scenario, changes: Partial<AdminView>): Promise<number> {
	const admin = await openAdmin({ host: "127.0.0.1", port: 0 }, viewOf(changes));
	scenario.defer(() => admin.close());
	return (admin.server.address() as AddressInfo).port;
}

async function look(scenario: Scenario, port: number, hash = ""): Promise<Page> {
	const page = await startBrowser(scenario);
	await page.open(`http://127.0.0.1:${port}/${hash}`, { width: 1_280, height: 860 });
	return page;
}

/** Some sessions, the newest first; and what is asked to be closed. */
class MadeUp {
	ids: number[] = [];
	readonly closed: SessionFilter[] = [];

	readonly desk: SessionDesk = {
		...viewOf().sessions(),
		census: () => ({
			...{ total: this.ids.length, states: new Map([["relaying", this.ids.length]]), protocols: new Map() },
			...{ listeners: new Map(), routes: new Map([["sni=a&b?c#d%", 1]]), upstreams: new Map() },
		}),
		list: (_, { offset, limit }) => ({
			...{ total: this.ids.length, matched: this.ids.length },
			sessions: this.ids.slice(offset, offset + limit).map(sessionOf),
		}),
		close: (filter) => {
			this.closed.push(filter);
			return this.ids.length;
		},
	};
}

function sessionOf(id: number): LiveSession {
	return {
		...{ id, reactor: 1, listener: "0.0.0.0:443", route: null, protocol: "tls", name: null },
		...{ source: `10.0.0.7:${id}`, upstream: "web", address: "10.0.0.6:443", state: "relaying" },
		...{ accepted: new Date(0).toISOString(), secured: null, recognized: null, connected: null },
		...{ bytes_from_client: 1, bytes_to_client: 2, buffered_bytes: 0, age_ms: 1, idle_ms: 1 },
	};
}

const focused = (page: Page): Promise<string> =>
	page.evaluate(
		`document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.innerText ?? ""`,
	);

scenario(
	"what is closed is what is listed, also by a link's filter; a list that empties is empty; the chosen row stays chosen",
	async (scenario) => {
		const made = new MadeUp();
		made.ids = [3, 2, 1];
		const port = await serve(scenario, { sessions: () => made.desk });
		const page = await look(scenario, port, "#/sessions?reactor=1");
		await page.until(`document.querySelectorAll(".rows .row").length === 3`);
		assert.equal(await page.evaluate(`document.querySelector('[placeholder="reactor"]')?.value`), "1");
		// Left, and asked again before anybody is told that it was left.
		await page.evaluate(
			`{ const press = document.querySelector("#view .tools button"); press.click(); document.getElementById("change-dialog").close(); press.click(); }`,
		);
		await setTimeout(100);
		assert.doesNotMatch(await page.text("#change-says"), /ALL/);
		await page.click("#change-do");
		await page.until(`document.querySelector("#notices p")`);
		assert.deepEqual(made.closed, [{ reactor: 1 }]);

		await page.evaluate(`document.querySelector(".grid").focus()`);
		await page.press("ArrowDown");
		const chosen = (): Promise<string> => page.text(".rows [aria-selected=true]");
		assert.match(await chosen(), /^3\b/);
		made.ids = [5, 4, 3, 2, 1];
		await page.until(`document.querySelectorAll(".rows .row").length === 5`);
		assert.match(await chosen(), /^3\b/, "two came before it");
		made.ids = [5, 4, 2, 1];
		await page.until(`document.querySelectorAll(".rows .row").length === 4`);
		assert.equal(await chosen(), "", "it has ended, and nothing else is chosen for it");

		made.ids = [];
		await page.until(`document.querySelector("#view .tools p").innerText === "0"`);
		await page.until(`document.querySelectorAll(".rows .row").length === 0`);
		assert.deepEqual(page.faults, []);
	},
	{ needs: ["chromium"] },
);

scenario(
	"who presses longer than a reading takes hits what they pressed, and who types filters keeps the focus",
	async (scenario) => {
		const made = new MadeUp();
		made.ids = [1];
		const port = await serve(scenario, { sessions: () => made.desk });
		const page = await look(scenario, port);
		await page.until(`document.querySelector(".bars a")`);
		// Whatever characters a name has, its link asks for it.
		await page.evaluate(
			`[...document.querySelectorAll(".bars a")].find((each) => each.innerText.startsWith("sni")).focus()`,
		);
		await setTimeout(1_500);
		assert.equal(await focused(page), "sni=a&b?c#d%");
		await page.evaluate(`window.kept = document.querySelector(".tiles a")`);
		await page.press("Enter");
		await page.until(`document.querySelector('[placeholder="route"]')?.value === "sni=a&b?c#d%"`);
		await page.until(`document.activeElement.localName === "h1"`);
		await page.evaluate("history.back()");
		await page.until(`document.querySelector(".tiles a strong")`);

		const where = await page.evaluate<{ x: number; y: number }>(
			`(({ x, y }) => ({ x: x + 9, y: y + 9 }))(document.querySelector(".tiles a").getBoundingClientRect())`,
		);
		const mouse = { ...where, button: "left", clickCount: 1 };
		await page.call("Input.dispatchMouseEvent", { type: "mousePressed", ...mouse });
		made.ids = [2, 1];
		await page.until(`document.querySelector(".tiles strong").innerText === "2"`);
		await page.call("Input.dispatchMouseEvent", { type: "mouseReleased", ...mouse });
		await page.until(`location.hash === "#/sessions"`);

		await page.until(`document.querySelector(".rows .row")`);
		await page.evaluate(`document.querySelector('[placeholder^="name"]').focus()`);
		for (const letter of "ab") await page.press(letter);
		await page.press("Tab");
		await page.until(`location.hash === "#/sessions?name=ab"`);
		await page.until(`document.activeElement.placeholder.startsWith("source")`);
		// An order by keyboard.
		await page.evaluate(
			`[...document.querySelectorAll(".head button")].find((each) => each.innerText === "Age").focus()`,
		);
		await page.evaluate("document.activeElement.click()");
		await page.until(`location.hash.includes("sort=age")`);
		assert.equal(await focused(page), "Age");
		// Names of what every object has are no places.
		await page.evaluate(`location.hash = "#/constructor"`);
		await page.until(`document.querySelector(".tiles")`);
		assert.deepEqual(page.faults, []);
	},
	{ needs: ["chromium"] },
);

/** Two upstreams with one address; a listener that is paused and goes on; a configuration that reloads change. */
class Changing {
	rests = false;
	reloads = 0;
	readonly drained: string[] = [];

	get operations(): Operations {
		const upstream = (name: string): UpstreamStatus =>
			({
				name,
				addresses: [
					{
						...{ address: "10.0.0.6:443", state: "up", since: null, why: null, sessions: 0, weight: 1 },
						...{ failures: 0, max_connections: null },
					},
				],
			}) as unknown as UpstreamStatus;
		return {
			status: () =>
				({
					listeners: [{ name: "web", port: 443, sessions: 0, queued: 0, rests: this.rests }],
				}) as unknown as GatewayStatus,
			upstreams: () => [upstream("one"), upstream("two")],
			rest: (_: string, rests: boolean) => {
				this.rests = rests;
			},
			profileText: (id: number) => JSON.stringify(`profile ${id}`),
			drain: (name: string) => this.drained.push(name),
			config: () => ({ listeners: [], upstreams: [], reloads: this.reloads }),
			reload: async () => ({
				...{ added: ["upstreams.new"], removed: [], changed: ["timeouts.idle"], needs_restart: ["reactors"] },
			}),
		} as unknown as Operations;
	}
}

scenario(
	"a button keeps the focus while what it does changes, and belongs to one upstream; what a reload changes is shown",
	async (scenario) => {
		const changing = new Changing();
		const { operations } = changing;
		const audits: unknown[] = [];
		const port = await serve(scenario, {
			operations: () => ({
				...operations,
				reload: () => {
					changing.reloads++;
					return operations.reload();
				},
			}),
			audit: ({ operator }) => audits.push(operator),
		});
		const page = await look(scenario, port, "#/listeners");
		// Whose letters no field of a request has.
		await page.until(`document.querySelector("td button")`);
		await page.evaluate(`localStorage.setItem("sluice-operator", "Зоя")`);
		await page.evaluate(`document.querySelector("td button").focus()`);
		await page.evaluate("document.activeElement.click()");
		await page.until(`document.getElementById("change-dialog").open`);
		await page.click("#change-do");
		await page.until(`document.querySelector("td button").innerText === "Resume"`);
		assert.equal(await focused(page), "Resume web");
		assert.match(String(audits[0]), /^%D0%97%D0%BE%D1%8F \(/);
		await page.evaluate(`document.querySelector("th a").focus()`);
		await setTimeout(2_500);
		assert.equal(await focused(page), "web");

		await page.evaluate(`location.hash = "#/upstreams"`);
		await page.until(`document.querySelectorAll("td button").length === 2`);
		await page.evaluate(`document.querySelectorAll("td button")[1].focus()`);
		await setTimeout(2_500);
		assert.equal(await focused(page), "Drain 10.0.0.6:443 of two");
		await page.evaluate("document.activeElement.click()");
		await page.until(`document.getElementById("change-dialog").open`);
		// Who goes elsewhere has not agreed.
		await page.evaluate(`location.hash = "#/gateway"`);
		await page.until(`!document.getElementById("change-dialog").open`);
		assert.deepEqual(changing.drained, []);

		await page.until(`document.querySelector("#view summary")`);
		await page.evaluate(`document.querySelector("#view summary").click()`);
		await page.until(`document.querySelector("#view pre")?.innerText.includes('"reloads": 0')`);
		await page.evaluate(`document.querySelector('[aria-label="Reload the configuration"]').click()`);
		await page.click("#change-do");
		await page.until(`document.querySelector("#view pre").innerText.includes('"reloads": 1')`);
		const changes = "Reloaded. added: upstreams.new; changed: timeouts.idle; needs a restart: reactors.";
		await page.until(`document.getElementById("notices").innerText.includes(${JSON.stringify(changes)})`);

		await page.evaluate(`location.hash = "#/api?path=/api/debug/{id}&id=7"`);
		await page.until(`document.querySelector("details[open] button")`);
		await page.evaluate(`document.querySelector("details[open] button").click()`);
		await page.until(`document.querySelector("details[open] pre").innerText.includes("profile 7")`);
	},
	{ needs: ["chromium"] },
);

scenario(
	"who has no token is asked once; and a stream that is cut without a word is noticed",
	async (scenario) => {
		let tokens: AdminTokens = { full: "the-whole-of-it-0123", read: null };
		const port = await serve(scenario, { adminTokens: () => tokens });
		const between = await cutWithoutWord(scenario, port);
		const page = await look(scenario, between.port);
		await page.until(`document.getElementById("token-dialog")?.open`);
		await page.press("Escape");
		await setTimeout(2_500);
		assert.equal(await page.evaluate(`document.getElementById("token-dialog")?.open`), false);
		assert.match(await page.text("#live"), /a token is needed/);
		await page.click("#token-button");
		await page.until(`document.getElementById("token-dialog")?.open`);
		await page.evaluate(`document.getElementById("token").value = "the-whole-of-it-0123"`);
		await page.click("#token-dialog button[value=ok]");
		await page.until(`document.querySelector("#live.on")`);
		// A reload has replaced it.
		tokens = { full: "another-of-them-0123", read: null };
		await page.until(`document.getElementById("token-dialog")?.open`);
		await page.evaluate(`document.getElementById("token").value = "another-of-them-0123"`);
		await page.click("#token-dialog button[value=ok]");
		await page.until(`document.querySelector("#live.on")`);

		between.cut();
		await page.until(`document.getElementById("live").innerText === "the gateway does not answer"`);
		between.mend();
		await page.until(`document.querySelector("#live.on")`);
	},
	{ needs: ["chromium"] },
);

/** Passes everything on, until it does not, and says nothing of that. */
async function cutWithoutWord(
	scenario: Scenario,
	to: number,
): Promise<{ port: number; cut: () => void; mend: () => void }> {
	const sockets = new Set<Socket>();
	let isCut = false;
	const server = createServer((near) => {
		const far = connect(to, "127.0.0.1");
		sockets.add(near).add(far);
		near.on("error", () => far.destroy()).on("close", () => far.destroy());
		far.on("error", () => near.destroy()).on("close", () => isCut || near.destroy());
		near.on("data", (data) => isCut || far.write(data));
		far.on("data", (data) => isCut || near.write(data));
	});
	scenario.defer(() => {
		server.close();
		for (const socket of sockets) socket.destroy();
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		port: (server.address() as AddressInfo).port,
		cut: () => {
			isCut = true;
		},
		// What came meanwhile has lost its first words, and would wait for an answer as long as the page does.
		mend: () => {
			isCut = false;
			for (const socket of sockets) socket.destroy();
		},
	};
}
