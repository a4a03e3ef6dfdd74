/** What an agent wants its visitors to be asked for, and a gateway that does not do so. */
import assert from "node:assert/strict";
import { hashOf } from "../../../src/config/passwords.js";
import { scenario } from "../../support/scenario.js";
import { settingsFor, startAgent, tunnelTo } from "../../support/tunnel-agent.js";
import { startTunnelGateway } from "../../support/tunnel-gateway.js";

const basicAuth = [{ user: "alice", hash: hashOf("alice", "a long password") }];

scenario("a gateway that asks for no password has no such tunnel of it", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const running = startAgent(scenario, settingsFor(gateway, [tunnelTo("http", "3000", { basicAuth })]));
	const { session, open } = await gateway.opened();
	assert.deepEqual(open.basic_auth, basicAuth);
	assert.equal((await session.hear("close")).tunnel, open.tunnel);
	const { code, final } = await running.next("tunnel_closed");
	assert.deepEqual([code, final], ["basic_auth", true]);
	assert.equal((await running.next("ended")).status, 1);
});

scenario("one that says so has it; another list is another tunnel", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, {
		answer: ({ tunnel, basic_auth }) => ({
			...{ type: "opened", tunnel, addresses: [], plain: false },
			...(basic_auth === undefined ? {} : { basic_auth: true }),
		}),
	});
	const running = startAgent(scenario, settingsFor(gateway, [tunnelTo("http", "3000", { basicAuth })]));
	const { session, open } = await gateway.opened();
	await running.next("tunnel_opened");
	running.agent.reload(settingsFor(gateway, [tunnelTo("http", "3000", { basicAuth })]));
	running.agent.reload(settingsFor(gateway, [tunnelTo("http", "3000")]));
	assert.equal((await session.hear("close")).tunnel, open.tunnel);
	assert.equal((await session.hear("open")).basic_auth, undefined);
	await running.next("tunnel_opened");
});
