/** A real browser at a gateway that terminates its TLS: a page that fetches, listens to events and speaks WebSocket. */
import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { WebSocketServer } from "ws";
import { startGateway } from "../support/gateway.js";
import { run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, identity } from "../support/tls.js";

const NAME = "www.demo.test";
const EVENTS = 5;

/** What came is reported at the end. Until then an image is not answered, for the browser leaves when all is loaded. */
const PAGE = `<!doctype html><body><img src="/held"><script>
const lines = [];
const say = (line) => lines.push(line);
const fetched = (async () => {
	const bodies = await Promise.all([1, 2, 3, 4].map((n) => fetch("/api/" + n).then((answer) => answer.text())));
	say("fetched " + bodies.join());
	const sent = await fetch("/api/upload", { method: "POST", body: new Uint8Array(300000) });
	say("uploaded " + await sent.text());
})();
const heard = new Promise((resolve) => {
	const events = new EventSource("/events");
	const seen = [];
	events.onmessage = ({ data }) => {
		seen.push(data);
		if (seen.length < ${EVENTS}) return;
		events.close();
		say("events " + seen.join());
		resolve();
	};
});
const conversed = new Promise((resolve) => {
	const socket = new WebSocket("wss://" + location.host + "/chat", "chat");
	const seen = [];
	socket.onopen = () => { for (const word of ["a", "b", "c"]) socket.send(word); };
	socket.onmessage = ({ data }) => {
		seen.push(data);
		if (seen.length === 3) socket.close(1000);
	};
	socket.onclose = ({ code, wasClean }) => { say("socket " + seen.join() + " " + code + " " + wasClean); resolve(); };
});
Promise.all([fetched, heard, conversed]).catch(say).then(() => fetch("/report", { method: "POST", body: lines.join("|") }));
</script></body>`;

function tellEvents(response: ServerResponse): void {
	response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
	let count = 0;
	const timer = setInterval(() => {
		response.write(`data: ${++count}\n\n`);
		if (count === EVENTS) clearInterval(timer);
	}, 20);
	response.on("close", () => clearInterval(timer));
}

interface Site {
	readonly address: string;
	/** What upstreams were told about the client's protocol. */
	readonly protocols: ReadonlySet<string>;
	readonly report: () => string;
}

async function startSite(scenario: Scenario): Promise<Site> {
	const protocols = new Set<string>();
	let report = "";
	let held: ServerResponse | undefined;
	const server = createServer((request, response) => {
		protocols.add(String(request.headers["x-forwarded-proto"]));
		if (request.url === "/events") tellEvents(response);
		else if (request.url === "/held") held = response;
		else if (request.method === "POST") {
			const blocks: Buffer[] = [];
			request.on("data", (block: Buffer) => blocks.push(block));
			request.on("end", () => {
				const body = Buffer.concat(blocks);
				response.end(String(body.length));
				if (request.url !== "/report") return;
				report = body.toString();
				held?.end();
			});
		} else if (request.url?.startsWith("/api/")) response.end(`[${request.url.slice(5)}]`);
		else response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
	});
	const sockets = new WebSocketServer({ server, path: "/chat" });
	sockets.on("connection", (socket) => {
		socket.on("message", (data) => socket.send(String(data).toUpperCase()));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	scenario.defer(() => {
		for (const client of sockets.clients) client.terminate();
		server.closeAllConnections();
		return new Promise((resolve) => server.close(resolve));
	});
	const { port } = server.address() as AddressInfo;
	return { address: `127.0.0.1:${port}`, protocols, report: () => report };
}

scenario(
	"Chromium fetches, uploads, hears events and converses over TLS that ends here",
	async (scenario) => {
		const site = await startSite(scenario);
		const gateway = await startGateway(
			scenario,
			// The browser leaves its events by ending its direction, which could be a half-close.
			`
timeouts: { half_closed: 500ms }
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(identity(scenario, NAME), [NAME])}]
    routes: [{ host: ${NAME}, to: www }]
upstreams: { www: { http: "http://${site.address}" } }
`,
		);
		// It knows no other names, so that it leaves this machine for nothing.
		const rules = `MAP *.demo.test:443 127.0.0.1:${gateway.port()}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`;
		const { output } = await run("chromium", [
			...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
			...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
			...["--disable-dev-shm-usage", `--user-data-dir=${join(scenario.directory, "chromium")}`],
			...["--ignore-certificate-errors", `--host-resolver-rules=${rules}`],
			...["--timeout=20000", "--dump-dom", `https://${NAME}/`],
		]);
		assert.deepEqual(
			site.report().split("|").sort(),
			[
				`events ${Array.from({ length: EVENTS }, (_, index) => index + 1).join()}`,
				"fetched [1],[2],[3],[4]",
				"socket A,B,C 1000 true",
				"uploaded 300000",
			],
			output,
		);
		assert.deepEqual([...site.protocols], ["https"]);
		const metrics = await gateway.metrics();
		assert.ok(metrics.sum("sluice_tls_handshakes_total", { result: "full" }) >= 1);
	},
	{ needs: ["chromium"] },
);
