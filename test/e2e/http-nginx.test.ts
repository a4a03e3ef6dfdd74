/** nginx as an upstream of requests, and curl as a client: ranges, downloads that go on, and kept connections. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startGateway } from "../support/gateway.js";
import { run, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, identity } from "../support/tls.js";
import { eventually } from "../support/waiting.js";

const FILE_BYTES = 3_000_000;

/** Serves a directory on a socket, with all that it writes kept in the scenario's. */
async function startNginx(scenario: Scenario): Promise<{ socket: string; root: string }> {
	const { directory } = scenario;
	const socket = join(directory, "nginx.sock");
	const file = join(directory, "nginx.conf");
	const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
		.map((kind) => `${kind}_temp_path ${join(directory, kind)};`)
		.join("\n");
	writeFileSync(
		file,
		`
daemon off; master_process off; pid ${join(directory, "nginx.pid")}; error_log stderr;
events {}
http {
	access_log off; ${temporary}
	server { listen unix:${socket}; root ${directory}; }
}
`,
	);
	const server = start(scenario, "nginx", ["-c", file, "-p", directory]);
	await eventually(
		async () => {
			const { status } = await run("curl", ["-qsS", "-o", "/dev/null", "--unix-socket", socket, "http://x/"]);
			return status === 0 ? true : undefined;
		},
		() => `nginx does not answer:\n${server.output}`,
	);
	return { socket, root: directory };
}

scenario(
	"curl gets ranges of a file, goes on where it stopped, and keeps its connection, in the open and through TLS",
	async (scenario) => {
		const { socket, root } = await startNginx(scenario);
		const content = randomBytes(FILE_BYTES);
		writeFileSync(join(root, "file"), content);
		const gateway = await startGateway(
			scenario,
			`
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(identity(scenario, "files.test"), ["files.test"])}]
    routes: [{ host: files.test, to: files }]
  - listen: 127.0.0.1:0
    routes: [{ host: files.test, to: files }]
upstreams: { files: { http: "http+unix:${socket}" } }
`,
		);
		for (const [listener, scheme] of ["https", "http"].entries()) {
			const port = gateway.port(listener);
			const url = `${scheme}://files.test:${port}/file`;
			const curl = (...args: string[]) =>
				run("curl", ["-qksS", "--resolve", `files.test:${port}:127.0.0.1`, ...args]);
			const target = join(root, `${scheme}.out`);
			const ranged = await curl("-r", "1000-1999", "-o", target, "-w", "%{http_code}", url);
			assert.equal(ranged.stdout, "206", ranged.output);
			assert.ok(readFileSync(target).equals(content.subarray(1_000, 2_000)));
			writeFileSync(target, content.subarray(0, 1_234_567));
			const resumed = await curl("-C", "-", "-o", target, "-w", "%{http_code}", url);
			assert.equal(resumed.stdout, "206", resumed.output);
			assert.ok(readFileSync(target).equals(content));
			// One connection for all of them: only the first connects.
			const several = await curl(
				...Array.from({ length: 5 }, () => ["-o", target, url]).flat(),
				...["-w", "%{num_connects} %{http_code}\n"],
			);
			assert.equal(several.stdout, "1 200\n0 200\n0 200\n0 200\n0 200\n", several.output);
			assert.ok(readFileSync(target).equals(content));
			const missing = await curl("-o", target, "-w", "%{http_code}", `${url}-none`);
			assert.equal(missing.stdout, "404", missing.output);
			const multipart = await curl("-r", "0-9,100-109", "-o", target, "-w", "%{http_code}", url);
			assert.equal(multipart.stdout, "206", multipart.output);
			assert.match(readFileSync(target, "latin1"), /Content-Range: bytes 100-109\/3000000/);
		}
	},
	{ needs: ["curl", "nginx"] },
);
