/** `sluice demo`: every command that it prints is run, and must show what the page says it shows. */
import assert from "node:assert/strict";
import { MAIN } from "../../src/rig/gateway.js";
import { Child, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

interface Suggestion {
	readonly command: string;
	/** What is said about it. */
	readonly promise: string;
}

async function startDemo(
	scenario: Scenario,
	...args: string[]
): Promise<{ child: Child; suggestions: Suggestion[] }> {
	const child = new Child(process.execPath, [MAIN, "demo", ...args]);
	scenario.defer(() => child.stop("SIGKILL"));
	const [page] = await child.printed(/Sluice is running on [\s\S]*Ctrl-C ends the demo\./);
	const suggestions = [...page.matchAll(/^ {2}(\S.*)\n {6}(\S.*)$/gm)].map(
		([, command = "", promise = ""]) => ({
			command,
			promise,
		}),
	);
	return { child, suggestions };
}

scenario(
	"each command of the demo shows what the demo says it shows",
	async (scenario) => {
		const { child, suggestions } = await startDemo(scenario);
		assert.equal(suggestions.length, 9);
		for (const { command, promise } of suggestions) {
			const page = promise.startsWith("the dashboard")
				? `curl -s -H 'Accept: text/html' ${command}`
				: command;
			const { output } = await run("sh", ["-c", page]);
			const [, quoted] = /"([^"*]+?) ?…?"(?!.*")/.exec(promise) ?? [];
			if (quoted !== undefined)
				assert.ok(output.includes(quoted), `${command}\npromised: ${quoted}\nprinted: ${output}`);
			else if (promise.startsWith("the certificate")) assert.match(output, /CN ?= ?"?sluice demo/);
			else if (page !== command) assert.match(output, /<title>Sluice<\/title>/);
			else if (promise.startsWith("what became"))
				assert.match(output, /closed_total\{.*reason="no_route"\} 1$/m);
			else assert.fail(`nothing checks "${promise}"`);
		}
		// "the log below says why"
		await child.printed(/"name":"nobody\.test".*"reason":"no_route"/);
		child.signal("SIGINT");
		assert.equal(await child.exited, 0, child.output);
		assert.equal(child.stderr, "");
	},
	{ needs: ["curl", "openssl", "nc"] },
);

scenario("the demo ends by itself after --seconds", async (scenario) => {
	const { child } = await startDemo(scenario, "--seconds", "1");
	assert.equal(await child.exited, 0, child.output);
	assert.equal(child.stderr, "");
});
