/** The subcommands. Each is a file of its own, loaded when it is asked for. */
import { writeSync } from "node:fs";
import { Command } from "commander";
import type { DrillArguments } from "../drill/options.js";
import { packageVersion } from "../gateway/version.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";

/** What a gateway is made of is loaded behind this, and could not be without system calls. */
function requireSystemCalls(): void {
	const why = whyNoSystemCalls();
	if (why === undefined) return;
	say(2, `sluice: ${why}; "sluice check" works without\n`);
	process.exit(1);
}

/** At once, because the process ends behind it. A disk that is full, or a reader that has left, is no fault of ours. */
function say(fd: 1 | 2, text: string): void {
	try {
		writeSync(fd, text);
	} catch (error) {
		if (fd === 1) say(2, `sluice: cannot write to standard output: ${(error as Error).message}\n`);
		process.exit(1);
	}
}

const program = new Command("sluice")
	.description(
		"A gateway for connections that stay open: routes TCP, TLS, HTTP and SSH by name without decrypting.",
	)
	.version(packageVersion())
	.configureOutput({ writeOut: (text) => say(1, text), writeErr: (text) => say(2, text) })
	.showHelpAfterError("(sluice --help lists the commands)");

program
	.command("run")
	.description("run the gateway until SIGTERM; SIGHUP reloads the configuration")
	.requiredOption("-c, --config <file>", "configuration, such as sluice.yaml")
	.action(async (options: { config: string }) => {
		requireSystemCalls();
		const { run } = await import("./run.js");
		await run(options.config);
	});

program
	.command("check")
	.description(
		"check a configuration and print all its problems; exits 0, 2 for problems, 1 when it cannot be read",
	)
	.requiredOption("-c, --config <file>", "configuration, such as sluice.yaml")
	.action(async (options: { config: string }) => {
		const { checkAndPrint } = await import("./check.js");
		process.exitCode = await checkAndPrint(options.config);
	});

program
	.command("demo")
	.description("run a gateway with built-in upstreams on free loopback ports, and print commands to try")
	.option("--seconds <n>", "end after that many seconds instead of at Ctrl-C", Number)
	.action(async (options: { seconds?: number }) => {
		requireSystemCalls();
		const { demo } = await import("./demo.js");
		await demo(options.seconds);
	});

program
	.command("drill")
	.description(
		"attack a gateway of its own, or one that runs on this machine, and judge how it stands it; exits 0 when it stands, 1 when not, 2 when it cannot be done, 3 when the machine is too busy to judge",
	)
	.argument("[name]", "which drill; without it, they are listed")
	.option("--target <host:port>", "a gateway or server that runs already, on a loopback address")
	.option("--listener <kind>", "which listener of its own is attacked: relay, http or tls")
	.option("--connections <n>", "how many attackers at once (in all, for churn and pipelines)")
	.option("--seconds <s>", "how long the attack lasts; calm before it and after it last half as long each")
	.option("--bare", "the same against a plain Node server, side by side")
	.option("--guarded", "the same against that server with guard (sluice/guard) before it, side by side")
	.option("--json", "print everything that was measured, as JSON")
	.option("--svg <file>", "write a chart")
	.action(async (name: string | undefined, options: DrillArguments) => {
		requireSystemCalls();
		const { drill } = await import("./drill.js");
		await drill(name, options);
	});

await program.parseAsync();
