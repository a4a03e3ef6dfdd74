/** A route with a path keeps out what servers take for that path, in all its spellings; `paths` says what else becomes of them. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, message, ok, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const MODES = ["match", "strict", "normalize", "as_is"] as const;

/** What a request for a path gets in each mode: a status, or the path that the server was asked for. */
const PATHS: readonly [path: string, ...(number | string)[]][] = [
	["/admin/", 403, 403, 403, 403],
	["/%61dmin/", 403, 400, 403, "/%61dmin/"],
	["/x/..%2fadmin/x?y", 403, 400, 403, "/x/..%2fadmin/x?y"],
	["//admin/", 403, 400, 403, "//admin/"],
	["/admin;a=b/", 403, 403, 403, "/admin;a=b/"],
	["http://a.test/x/..;/admin/", 403, 400, 403, "/x/..;/admin/"],
	["/admin/..;/", 400, 400, "/", 403],
	["/admin/x%2f..%2f..%2fy", 400, 400, "/y", 403],
	["/admin//../y", 400, 400, "/y", 403],
	["/%40int%65rn/", 403, 400, 403, "/%40int%65rn/"],
	["/x%00", 400, 400, 400, "/x%00"],
	["/@scope%2fname", "/@scope%2fname", 400, "/@scope/name", "/@scope%2fname"],
	["/a//b/../c?x//../y", "/a//b/../c?x//../y", 400, "/a/c?x//../y", "/a//b/../c?x//../y"],
	["http://a.test?x=//y", "/?x=//y", "/?x=//y", "/?x=//y", "/?x=//y"],
	["/%2561dmin/", "/%2561dmin/", 400, "/%2561dmin/", "/%2561dmin/"],
	["/100%", "/100%", 400, 400, "/100%"],
	["/c%C3%a4fe;v=1", "/c%C3%a4fe;v=1", "/c%C3%a4fe;v=1", "/c%C3%A4fe;v=1", "/c%C3%a4fe;v=1"],
];

scenario("each mode of paths decides what is matched, refused and sent on", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering((asked) => ok(targetOf(asked))),
	);
	const listeners = MODES.map(
		(mode) => `
  - listen: 127.0.0.1:0
    paths: ${mode}
    routes:
      - { path: /admin/, to: reject }
      - { path: /@intern/, to: reject }
      - { to: a }`,
	);
	const config = `listeners:${listeners.join("")}\nupstreams: { a: { http: "http://${upstream.address}" } }\n`;
	const gateway = await startGateway(scenario, config);
	for (const [index, mode] of MODES.entries()) {
		for (const [path, ...expected] of PATHS) {
			const client = await dial(scenario, gateway.port(index));
			await client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`);
			const { head, body } = await message(client);
			const status = Number(head.split(" ")[1]);
			assert.equal(status === 200 ? body : status, expected[index], `${mode}: ${path}`);
			await client.rest();
			client.end();
		}
	}
	assert.equal((await gateway.metrics()).sum("sluice_bad_requests_total"), 19);
});
