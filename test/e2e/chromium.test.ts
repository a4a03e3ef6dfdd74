/** A real browser through the gateway: a page, its script and what the script fetches, over TLS that passes through. */
import assert from "node:assert/strict";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { startGateway } from "../support/gateway.js";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

const PAGE = `<!doctype html><title>before</title><body><script src="/script.js"></script></body>`;
/** Runs while the page loads, so that the DOM is dumped after it: the request is synchronous. */
const SCRIPT = `
const request = new XMLHttpRequest();
request.open("GET", "https://api.demo.test/answer", false);
request.send();
document.title = "the api said " + request.responseText;
`;

scenario(
	"Chromium loads a page and what its script asks for, from two upstreams behind one port",
	async (scenario) => {
		const seen: string[] = [];
		const start = async (name: string): Promise<string> => {
			// A certificate for each: one for both would allow Chromium to ask for both over one connection.
			const { cert, key } = identity(scenario, `${name}.demo.test`);
			const server = createSecureServer(
				{ cert: cert.text, key: key.text, allowHTTP1: true },
				(request, response) => {
					seen.push(`${name} ${request.url} HTTP/${request.httpVersion}`);
					const [type, body] =
						name === "api"
							? ["text/plain", "42"]
							: request.url === "/script.js"
								? ["text/javascript", SCRIPT]
								: ["text/html", PAGE];
					response.writeHead(200, { "content-type": type, "access-control-allow-origin": "*" });
					response.end(body);
				},
			);
			const sessions = new Set<{ destroy(): void }>();
			server.on("session", (session) => sessions.add(session));
			await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
			scenario.defer(() => {
				for (const session of sessions) session.destroy();
				return new Promise((resolve) => server.close(resolve));
			});
			return `127.0.0.1:${(server.address() as AddressInfo).port}`;
		};
		const www = await start("www");
		const api = await start("api");
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: www.demo.test, to: www }
      - { sni: api.demo.test, to: api }
upstreams: { www: "${www}", api: "${api}" }
`,
		);
		// It knows no other names, so that it leaves this machine for nothing.
		const rules = `MAP *.demo.test:443 127.0.0.1:${gateway.port()}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`;
		const { stdout, output } = await run("chromium", [
			...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
			...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
			...["--disable-dev-shm-usage", `--user-data-dir=${join(scenario.directory, "chromium")}`],
			...["--ignore-certificate-errors", `--host-resolver-rules=${rules}`],
			...["--virtual-time-budget=10000", "--dump-dom", "https://www.demo.test/"],
		]);
		assert.match(stdout, /<title>the api said 42<\/title>/, output);
		assert.ok(seen.includes("www / HTTP/2.0"), seen.join("\n"));
		assert.ok(seen.includes("www /script.js HTTP/2.0"), seen.join("\n"));
		assert.ok(seen.includes("api /answer HTTP/2.0"), seen.join("\n"));
		for (const upstream of ["www", "api"]) {
			// Browsers open spare connections, so there may be more of them.
			const session = await gateway.session((candidate) => candidate.upstream === upstream);
			assert.equal(session.name, `${upstream}.demo.test`);
		}
	},
	{ needs: ["chromium"] },
);
