/** Tunnels whose visitors are asked for a name and a password: by a route, by the agent's entry, by the agent itself. */
import assert from "node:assert/strict";
import { hashOf, type PasswordEntry } from "../../src/config/passwords.js";
import { scenario } from "../support/scenario.js";
import { tunnelTo } from "../support/tunnel-agent.js";
import { startService, startTunnelled } from "../support/tunnelled.js";
import { eventually } from "../support/waiting.js";

const entry = (user: string, password = `${user} has a long password`): PasswordEntry => ({
	...{ user, hash: hashOf(user, password) },
});
const yaml = (...entries: readonly PasswordEntry[]): string =>
	`basic_auth: { ${entries.map(({ user, hash }) => `${user}: ${hash}`).join(", ")} }`;
const [alice, bob, carol] = [entry("alice"), entry("bob"), entry("carol")];

function as(user: string, password = `${user} has a long password`): string {
	return `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString("base64")}\r\n`;
}

scenario(
	"the file's names and the agent's: who is in both comes in, before a line is taken",
	async (scenario) => {
		const {
			gateway,
			agent,
			ask,
			yaml: file,
			settings,
		} = await startTunnelled(scenario, {
			laptop: `names: [app], ${yaml(alice, bob)}`,
		});
		const service = await startService(scenario, ({ authorization }) => `says ${authorization}`);
		const running = agent("laptop", [tunnelTo("http", service.address)]);
		await running.next("tunnel_opened");
		const statuses = async (): Promise<string[]> => {
			const answers: string[] = [];
			for (const fields of ["", as("alice"), as("bob"), as("carol"), as("alice", "wrong")])
				answers.push((await ask("app.tunnels.test", "/", fields)).slice(9, 12));
			return answers;
		};
		assert.deepEqual(await statuses(), ["401", "200", "200", "401", "401"]);
		assert.match(await ask("app.tunnels.test", "/", as("alice")), /says undefined$/);
		assert.match(await ask("app.tunnels.test"), /^WWW-Authenticate: Basic realm=/m);
		const { body } = await gateway.admin("/api/tunnels");
		assert.match(body, /"users": \[\s+"alice",\s+"bob"\s+\]/);

		// The agent narrows that.
		running.agent.reload(
			settings("laptop", [tunnelTo("http", service.address, { basicAuth: [bob, carol] })]),
		);
		await running.next("tunnel_opened");
		assert.deepEqual(await statuses(), ["401", "401", "200", "401", "401"]);
		// The file asks nobody any more; the agent still does.
		gateway.write(file({ laptop: "names: [app]" }));
		await gateway.hangUp();
		await eventually(
			async () => ((await statuses()).join() === "401,401,200,200,401" ? true : undefined),
			() => "the file's list is still asked for",
		);
		assert.ok(!running.events.some(({ event }) => event === "tunnel_closed"));
		running.agent.reload(settings("laptop", [tunnelTo("http", service.address)]));
		await running.next("tunnel_opened");
		assert.deepEqual(await statuses(), ["200", "200", "200", "200", "200"]);
		assert.match(await ask("app.tunnels.test", "/", as("alice")), /says Basic /);
	},
);

scenario("where a route or an entry asks, no tunnel of tls can be led to past it", async (scenario) => {
	const { agent, ask } = await startTunnelled(
		scenario,
		{ laptop: "names: [app, open]", strict: `names: ["*"], ${yaml(alice)}` },
		`{ host: "*.tunnels.test", to: tunnels, ${yaml(bob)} }`,
	);
	const service = await startService(scenario, () => "here");
	const running = agent("strict", [
		tunnelTo("tls", service.address, { name: "own" }),
		tunnelTo("http", service.address, { name: "web" }),
	]);
	const { code, why } = await running.next("tunnel_refused");
	assert.deepEqual([code, /tls tunnel cannot be/.test(why)], ["name", true]);
	await running.next("tunnel_opened");
	// Nobody is in both lists.
	for (const fields of ["", as("alice"), as("bob")])
		assert.match(await ask("web.tunnels.test", "/", fields), /^HTTP\/1\.1 401 /);
	const other = agent("laptop", [tunnelTo("http", service.address)]);
	await other.next("tunnel_opened");
	assert.match(await ask("app.tunnels.test", "/", as("bob")), /here$/);
	assert.match(await ask("app.tunnels.test", "/", as("alice")), /^HTTP\/1\.1 401 /);
	// Who may not come in is not told which names are held.
	assert.match(await ask("open.tunnels.test"), /^HTTP\/1\.1 401 /);
	assert.match(await ask("open.tunnels.test", "/", as("bob")), /^HTTP\/1\.1 503 [\s\S]*No agent holds/);
});

scenario("agents that share a name let in whom each of them does", async (scenario) => {
	const { agent, ask } = await startTunnelled(scenario, { pair: "names: [app], shared: true" });
	const service = await startService(scenario, () => "here");
	const one = agent("pair", [tunnelTo("http", service.address, { basicAuth: [alice, bob] })]);
	await one.next("tunnel_opened");
	assert.match(await ask("app.tunnels.test", "/", as("alice")), /here$/);
	const two = agent("pair", [tunnelTo("http", service.address, { basicAuth: [bob] })]);
	await two.next("tunnel_opened");
	for (let count = 0; count < 4; count++) {
		assert.match(await ask("app.tunnels.test", "/", as("bob")), /here$/);
		assert.match(await ask("app.tunnels.test", "/", as("alice")), /^HTTP\/1\.1 401 /);
	}
});
