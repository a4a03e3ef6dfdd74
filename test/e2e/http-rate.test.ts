/** limits.requests_per_second, of all clients together and of one address. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { answering, get, listening, ok, requestsConfig, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const BUSY = /^HTTP\/1\.1 429 Too Many Requests\r\n[\s\S]*\r\nRetry-After: 1\r\n/;

scenario(
	"requests beyond the rate are answered 429, and the upstream does not see them",
	async (scenario) => {
		let served = 0;
		const { gateway, upstream } = await startRequests(
			scenario,
			answering(() => {
				served++;
				return ok("fine");
			}),
			{ sections: "limits: { requests_per_second: 3 }" },
		);
		const startedMs = performance.now();
		const client = await dial(scenario, gateway.port());
		client.end(get("/").repeat(200));
		const answers = (await client.rest()).split(/(?=HTTP\/1\.1 )/);
		assert.equal(answers.length, 200, "each has its answer");
		const refused = answers.filter((answer) => BUSY.test(answer)).length;
		const most = 3 + (3 * (performance.now() - startedMs)) / 1_000 + 1;
		assert.ok(200 - refused >= 3 && 200 - refused <= most, `${200 - refused} of at most ${most}`);
		assert.equal(served, 200 - refused);
		assert.equal(answers.filter((answer) => /^HTTP\/1\.1 200 /.test(answer)).length, served);
		assert.equal(upstream.peers.length, 1);
		assert.equal(
			(await gateway.metrics()).sum("sluice_requests_refused_total", { reason: "limit_rate" }),
			refused,
		);
	},
);

scenario(
	"an address that asks too fast is refused over all its connections, and another one is served",
	async (scenario) => {
		const upstream = await startUpstream(
			scenario,
			answering(() => ok("fine")),
		);
		const gateway = await startGateway(
			scenario,
			requestsConfig(upstream.address, {
				reactors: 2,
				sections: "limits: { requests_per_second_per_ip: 2, requests_per_second: 1000 }",
			}),
		);
		const startedMs = performance.now();
		const ask = async (localAddress: string): Promise<string> => {
			const client = await dial(scenario, gateway.port(), { localAddress });
			client.end(get("/", "a.test", "Connection: close\r\n"));
			const answer = await client.rest();
			assert.match(answer, /^HTTP\/1\.1 (200|429) /);
			return answer;
		};
		// Half-closed right behind the request: the refusal must not be destroyed by a reset.
		const answers = await Promise.all(Array.from({ length: 40 }, () => ask("127.0.0.1")));
		const served = answers.filter((answer) => !BUSY.test(answer)).length;
		const most = 2 + (2 * (performance.now() - startedMs)) / 1_000 + 1;
		assert.ok(served >= 2 && served <= most, `${served} of at most ${most}`);
		assert.doesNotMatch(await ask("127.0.0.2"), BUSY);
		const ended = await gateway.sessions(41);
		assert.equal(ended.filter(({ reason }) => reason === "limit_rate").length, 40 - served);
		assert.equal(
			(await gateway.metrics()).sum("sluice_sessions_closed_total", { reason: "limit_rate" }),
			40 - served,
		);
		// Its bucket fills again.
		while (BUSY.test(await ask("127.0.0.1"))) {}
	},
);

scenario(
	"curl waits as long as Retry-After says, and is served then",
	async (scenario) => {
		const server = createServer((_, response) => response.end("served"));
		const address = await listening(scenario, server);
		const gateway = await startGateway(
			scenario,
			requestsConfig(address, { sections: "limits: { requests_per_second_per_ip: 1 }" }),
		);
		const url = `http://127.0.0.1:${gateway.port()}/`;
		const first = await run("curl", ["-q", "-sS", url]);
		assert.deepEqual([first.status, first.output], [0, "served"]);
		const second = await run("curl", ["-q", "-sS", "--fail", "--retry", "5", url]);
		assert.equal(second.status, 0, second.output);
		assert.match(second.output, /served$/);
	},
	{ needs: ["curl"] },
);
