/** Chromium that loads a page by HTTP/3 and by nothing else, from servers behind one port. */
import { join } from "node:path";
import { LOOPBACK } from "../peers.js";
import { start } from "../processes.js";
import type { Scenario } from "../scenario.js";
import type { QuicServer } from "./peers.js";

/**
 * Opens `https://NAME/?ask=…` of the first server, whose script asks all of them who they are, over which protocol, and
 * returns the title that it has put together from their answers. It knows no other names, so that it leaves this machine for nothing.
 */
export async function titleOverHttp3(
	scenario: Scenario,
	port: number,
	servers: Readonly<Record<string, QuicServer>>,
): Promise<string> {
	const names = Object.keys(servers);
	const origins = names.map((name) => `${name}:443`);
	const rules = [...origins.map((origin) => `MAP ${origin} ${LOOPBACK}:${port}`), "MAP * ~NOTFOUND"];
	const hashes = Object.values(servers).map(({ keyHash }) => keyHash);
	const asks = names.map((name) => `ask=https://${name}/who`);
	const browser = start(scenario, "chromium", [
		...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"],
		...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
		...["--enable-quic", `--origin-to-force-quic-on=${origins.join(",")}`],
		...[`--host-resolver-rules=${rules.join(", ")}, EXCLUDE ${LOOPBACK}`],
		...[`--ignore-certificate-errors-spki-list=${hashes.join(",")}`],
		...[`--user-data-dir=${join(scenario.directory, "chromium-http3")}`],
		...["--virtual-time-budget=10000", "--dump-dom", `https://${names[0]}/?${asks.join("&")}`],
	]);
	await browser.exited;
	const [, title] = /<title>(.*)<\/title>/.exec(browser.stdout) ?? [];
	if (title === undefined) throw new Error(`Chromium shows no page:\n${browser.output}`);
	return title;
}
