/** The subcommands. Each is a file of its own, loaded when it is asked for. */
import { writeSync } from "node:fs";
import { Command } from "commander";
import type { DrillArguments } from "../drill/options.js";
import { packageVersion } from "../gateway/version.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";
import type { DoctorFlags } from "./doctor.js";
import type { HubKeyOptions } from "./hub/key.js";
import type { HubTokenOptions } from "./hub/token.js";
import type { DebugOptions } from "./operate/debug.js";
import type { PublishOptions } from "./operate/publish.js";
import type { Options } from "./operate/sessions.js";
import type { SubscribeOptions } from "./operate/subscribe.js";
import type { TunnelFlags } from "./tunnel/settings.js";

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

/** What `main.ts` parses the command line by, and `docs/reference/cli.md` is made from. */
export const program = new Command("sluice")
	.description(
		"A gateway for connections that stay open: routes TCP, TLS, HTTP, WebSocket, SSH and QUIC by name, carries tunnels to services behind NAT, and publishes to many subscribers.",
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
		"check a configuration and print all its problems and warnings; exits 0, 2 for problems, 1 when it cannot be read",
	)
	.requiredOption("-c, --config <file>", "configuration, such as sluice.yaml")
	.option("--strict", "exit 2 for warnings, too")
	.action(async ({ config, ...options }: { config: string; strict?: boolean }) => {
		const { checkAndPrint } = await import("./check.js");
		process.exitCode = await checkAndPrint(config, options);
	});

program
	.command("doctor")
	.description(
		"look at this machine, and say what stands in the gateway's way, with the commands that mend it; exits 0, 1 for advice, 2 for what will fail",
	)
	.option("-c, --config <file>", "configuration, such as sluice.yaml; without it one listener is assumed")
	.option("--connections <n>", "so many sessions it is to stand")
	.option("--json", "print it as JSON")
	.action(async (options: DoctorFlags) => {
		const { doctor } = await import("./doctor.js");
		process.exitCode = await doctor(options);
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

endsWithTwo(program.command("tunnel"))
	.description(
		"make a local service reachable through a gateway: sluice tunnel http 3000 --gateway gw.example.com:4443 --name app; the token is in SLUICE_TOKEN or in --token-file",
	)
	.argument("[kind]", "http, tcp, tls, udp or quic")
	.argument(
		"[local]",
		"where the service is: a port or HOST:PORT; also unix:/path (http, tcp, tls) or https://HOST:PORT (http)",
	)
	.option("-c, --config <file>", "many tunnels, from a file; SIGHUP reads it again")
	.option("--gateway <host:port>", "the gateway's tunnels.listen")
	.option("--name <name>", "what the tunnel is called: app is reached as app.DOMAIN")
	.option("--token-file <file>", "holds the token, instead of SLUICE_TOKEN")
	.option("--ca <file>", "authorities that the gateway's certificate is believed from, instead of Node's")
	.option("--fingerprint <sha256>", "the SHA-256 of the gateway's certificate, whoever has issued it")
	.option("--insecure", "without TLS, to a gateway on this machine only")
	.option("--port <n>", "tcp and udp: the public port that is asked for")
	.option("--plain", "tcp and udp: lines need no TLS, because the service encrypts by itself")
	.option("--host-header <name>", "http: what requests are sent with as Host")
	.option("--proxy-protocol", "all but http: tell the service who the visitor is (PROXY, version 2)")
	.option("--local-check [path]", "look at the service; no visitor comes while it is down (http: GET path)")
	.option("--basic-auth <entry...>", "http: visitors need a password: NAME:HASH (sluice password NAME)")
	.option("--allow <block...>", "only visitors from these blocks of addresses")
	.option("--connections <n>", "so many visitors at a time")
	.option("--bytes-per-second <size>", "so much for all visitors together, such as 1MiB")
	.option("--drain <duration>", "how long running visitors have at the end (30s)")
	.option("--retry-max <duration>", "the longest pause before it connects again (30s)")
	.option("--admin <address>", "serves /healthz and /metrics there, such as 127.0.0.1:9191")
	.option("--node-streams", "move bytes by Node's streams, also where a reactor could")
	.option("--inspect <address>", "http: shows requests on a page of this machine, such as 4040")
	.option("--inspect-requests <n>", "how many of them it keeps (100)")
	.action(async (kind: string | undefined, local: string | undefined, flags: TunnelFlags) => {
		const { tunnel } = await import("./tunnel/command.js");
		await tunnel(kind, local, flags, `sluice/${packageVersion()}`);
	});

endsWithTwo(program.command("token"))
	.description("make a key for an agent, and print its token and the line for the gateway's file")
	.argument("<action>", "new")
	.argument("<id>", "what the gateway calls the agent")
	.option("--json", "print it as JSON")
	.action(async (action: string, id: string, options: { json?: boolean }) => {
		const { printedToken } = await import("./token.js");
		try {
			if (action !== "new") throw new Error(`"${action}" is nothing to do with a token: sluice token new ID`);
			say(1, printedToken(id, options));
		} catch (error) {
			say(2, `sluice: ${(error as Error).message}\n`);
			process.exitCode = 2;
		}
	});

endsWithTwo(program.command("password"))
	.description(
		"make a password for basic_auth, and print it and the line for the file, which has a hash of it",
	)
	.argument("<name>", "whose it is")
	.option("--stdin", "take a password of your own, from standard input")
	.option("--json", "print it as JSON")
	.action(async (name: string, options: { stdin?: boolean; json?: boolean }) => {
		const { printedPassword } = await import("./password.js");
		try {
			say(1, await printedPassword(name, options));
		} catch (error) {
			say(2, `sluice: ${(error as Error).message}\n`);
			process.exitCode = 2;
		}
	});

endsWithTwo(program.command("hub-key"))
	.description(
		"make a key that tokens of the hub are signed with, and its half for the gateway's file; or remove one from there",
	)
	.argument("<action>", "new, or remove")
	.option("--alg <algorithm>", "EdDSA, ES256, or HS256, whose one key is a secret of both ends", "EdDSA")
	.option("--kid <name>", "what it is called, instead of a name that nobody else has")
	.option("--into <file>", "add it to the gateway's file, which hub.keys names, instead of printing it")
	.option("--from <file>", "remove: the gateway's file")
	.option("--out <file>", "write what signs to this file, which must be new, instead of printing it")
	.option("--json", "print it as JSON")
	.action(async (action: string, options: HubKeyOptions) => {
		const { hubKey } = await import("./hub/key.js");
		try {
			say(1, hubKey(action, options));
		} catch (error) {
			say(2, `sluice: ${(error as Error).message}\n`);
			process.exitCode = 2;
		}
	});

endsWithTwo(program.command("hub-token"))
	.description(
		"sign a token for the hub, to try it out: sluice hub-token --key signer.json --subscribe 'rooms/*'",
	)
	.requiredOption("--key <file>", "what sluice hub-key new has made to sign with")
	.option("--kid <name>", "which key of the file, where it has several")
	.option("--subscribe <channel...>", "it may subscribe to these, such as prices or 'rooms/*'")
	.option("--publish <channel...>", "it may publish to these")
	.option("--sub <name>", "who it is")
	.option("--ttl <duration>", "how long it is good", "1h")
	.option("--json", "print it as JSON")
	.action(async (options: HubTokenOptions) => {
		const { printedHubToken } = await import("./hub/token.js");
		try {
			say(1, await printedHubToken(options));
		} catch (error) {
			say(2, `sluice: ${(error as Error).message}\n`);
			process.exitCode = 2;
		}
	});

/** Flags that are none are bad arguments like all others: commander itself would end with 1, which says that it cannot be done. */
function endsWithTwo(command: Command): Command {
	return command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
}

/** Commands that ask a gateway which runs, over its admin port. */
function operates(name: string, description: string): Command {
	return program
		.command(name)
		.description(description)
		.option(
			"-c, --config <file>",
			"configuration of the gateway, which names its admin address (default: sluice.yaml here, or /etc/sluice/sluice.yaml)",
		)
		.option("--admin <address>", "its admin address: 127.0.0.1:9090, https://host:port or unix:/path")
		.option(
			"--ca <file>",
			"through TLS: authorities that its certificate is believed from, instead of Node's",
		)
		.option("--token <token>", "what the admin port asks for; also from SLUICE_TOKEN")
		.option("--json", "print what the API answers");
}

/** Which sessions are meant. */
function filtered(command: Command): Command {
	return command
		.option("--listener <name>", "of this listener")
		.option("--route <label>", "that took this route, as in the log: sni=git.example.com")
		.option("--upstream <name>", "that go to this upstream")
		.option("--address <address>", "that go to this address of it")
		.option("--source <block>", "of clients in this block: 10.0.0.7, 10.0.0.0/8")
		.option("--protocol <protocol>", "that speak tls, http, ssh, h2c, quic, dtls or other")
		.option("--name <name>", "that asked for this name, or *.example.com");
}

function ofLive(command: Command): Command {
	return filtered(command)
		.option(
			"--state <state>",
			"recognizing, securing, dialling, relaying, waiting, exchanging, asking, subscribed or ending",
		)
		.option("--reactor <n>", "of this reactor")
		.option("--min-age <duration>", "that are as old, such as 10m")
		.option("--max-age <duration>", "that are no older")
		.option("--min-idle <duration>", "that have been silent for so long");
}

/** Prints what comes of it, or says what is wrong. */
async function operate(work: () => Promise<string>): Promise<void> {
	const { OperateError } = await import("./operate/operate-error.js");
	try {
		const text = await work();
		// What has been printed as it came may have no reader any more.
		if (text !== "") say(1, text);
	} catch (error) {
		if (!(error instanceof OperateError)) throw error;
		say(2, `sluice: ${error.message}\n`);
		process.exitCode = 1;
	}
}

ofLive(operates("sessions", "list the sessions that live"))
	.option("--sort <key>", "id, age, idle, bytes or buffered")
	.option("--order <order>", "asc or desc")
	.option("--limit <n>", "so many at most (100)")
	.option("--offset <n>", "from this one on")
	.action((options: Options) =>
		operate(async () => (await import("./operate/sessions.js")).sessions(options)),
	);

filtered(operates("ended", "list the last sessions that ended, and why"))
	.option("--reason <reason>", "that ended for this reason")
	.option("--limit <n>", "so many at most (100)")
	.action((options: Options) => operate(async () => (await import("./operate/sessions.js")).ended(options)));

operates("why", "say why a session ended, or what it is at")
	.argument("<id>", "its number, as in the log")
	.action((id: string, options: Options) =>
		operate(async () => (await import("./operate/sessions.js")).why(id, options)),
	);

ofLive(operates("close", "close a session, or all that fit"))
	.argument("[id]", "its number")
	.option("--all", "every session, where no filter says which")
	.action((id: string | undefined, options: Options & { all?: boolean }) =>
		operate(async () => (await import("./operate/sessions.js")).close(id, options)),
	);

operates("status", "say how the gateway is: sessions, limits, listeners, upstreams").action(
	(options: Options) => operate(async () => (await import("./operate/gateway.js")).status(options)),
);

operates("upstreams", "list upstream addresses; drain one, resume it, or set its weight")
	.argument("[action]", "drain, resume or weight")
	.argument("[upstream]", "its name")
	.argument("[address]", "one of its addresses; drain and resume without it: all")
	.argument("[weight]", "its share of sessions, against the others': 1 to 256")
	.action((action, upstream, address, weight, options: Options) =>
		operate(async () =>
			(await import("./operate/gateway.js")).upstreams(action, upstream, address, weight, options),
		),
	);

operates("tunnels", "list agents that are logged in, and the tunnels that they have opened").action(
	(options: Options) => operate(async () => (await import("./operate/tunnels.js")).tunnels(options)),
);

operates("channels", "list the hub's channels that have subscribers or messages, or tell of one")
	.argument("[name]", "such as prices or rooms/42")
	.action((name: string | undefined, options: Options) =>
		operate(async () => (await import("./operate/channels.js")).channels(name, options)),
	);

operates("publish", "publish a message to a channel of the hub, or each line of standard input as one")
	.argument("<name>", "the channel, such as prices or rooms/42")
	.argument("[message]", "its text; without it, standard input")
	.option("--key <key>", "what conflate goes by: of one key only the newest is sent to whoever is behind")
	.option("--low", "where something has to go, this goes first")
	.option("--bytes", "as bytes, and not as text; all of standard input is one message")
	.action((name: string, message: string | undefined, options: PublishOptions) =>
		operate(async () =>
			(await import("./operate/publish.js")).publish(name, message, options, () => process.stdin),
		),
	);

operates("subscribe", "print what is published to a channel of the hub, a JSON object a line, until Ctrl-C")
	.argument("<name>", "the channel, such as prices or rooms/42")
	.option("--history <n>", "so many of the last messages first, up to 1000")
	.option("--after <id>", "or those behind this id")
	.option("--count <n>", "so many messages, and an end")
	.action((name: string, options: SubscribeOptions) =>
		operate(async () => {
			const { printed } = await import("./operate/printed.js");
			const { subscribe } = await import("./operate/subscribe.js");
			await printed((told, signal) => subscribe(name, options, told, signal));
			return "";
		}),
	);

operates("unsubscribe", "take a session's subscription to a channel away")
	.argument("<name>", "the channel")
	.argument("<session>", "its number, as in the log")
	.action((name: string, session: string, options: Options) =>
		operate(async () => (await import("./operate/channels.js")).unsubscribe(name, session, options)),
	);

operates("listeners", "list listeners; have one rest, or go on")
	.argument("[action]", "pause or resume")
	.argument("[listener]", "its name, as in the configuration: 0.0.0.0:443")
	.action((action, listener, options: Options) =>
		operate(async () => (await import("./operate/gateway.js")).listeners(action, listener, options)),
	);

operates("reload", "have the gateway read its configuration again, as SIGHUP does").action(
	(options: Options) => operate(async () => (await import("./operate/gateway.js")).reload(options)),
);

operates("log", "set the level of the log, until the next start")
	.argument("<level>", "debug, info, warn, error or silent")
	.action((level: string, options: Options) =>
		operate(async () => (await import("./operate/gateway.js")).logLevel(level, options)),
	);

operates("config", "print the configuration in force, with every default").action((options: Options) =>
	operate(async () => (await import("./operate/gateway.js")).shown("config", options)),
);

operates("certificates", "list the files of certificates in force, and when they expire").action(
	(options: Options) =>
		operate(async () => (await import("./operate/gateway.js")).shown("certificates", options)),
);

operates("sources", "list client addresses with the most sessions; ban one, or lift its ban")
	.argument("[action]", "ban or unban")
	.argument("[source]", "an address or a block: 10.0.0.7, 10.0.0.0/8")
	.option("--for <duration>", "how long it is banned, such as 1h")
	.option("--limit <n>", "so many at most (20)")
	.action((action, source, options: Options & { for?: string }) =>
		operate(async () => (await import("./operate/gateway.js")).sources(action, source, options)),
	);

operates("explain", "say what would become of a connection: its route, its upstream, its deadlines")
	.option("--listener <name>", "on this listener; without it, on each")
	.option("--sni <name>", "TLS, QUIC, DTLS: the name that it asks for")
	.option("--host <name>", "HTTP: the host of its request")
	.option("--path <path>", "HTTP: the path of its request")
	.option("--alpn <protocols>", "TLS, QUIC, DTLS: protocols that it offers, separated by commas")
	.option("--subprotocol <name>", "HTTP: the subprotocol of a WebSocket that it opens")
	.option("--protocol <protocol>", "what it speaks: tls, http, ssh, h2c, quic, dtls or other")
	.option("--source <address>", "where it comes from")
	.action((options: Options) => operate(async () => (await import("./operate/gateway.js")).explain(options)));

operates("top", "show the sessions live, those that move most first")
	.option("--sort <key>", "id, age, idle, bytes or buffered")
	.option("--count <n>", "so many pictures, and an end")
	.action((options: Options & { count?: string }) =>
		operate(async () => {
			await (await import("./operate/top.js")).top(options, (text) => say(1, text));
			return "";
		}),
	);

operates("debug", "profile a thread of the gateway: a file that Chrome's DevTools open")
	.argument("<profile>", "cpu, or heap, for which the thread stands still a moment")
	.option("--thread <thread>", "main, or reactor:0 and so on", "main")
	.option("--seconds <n>", "how long a profile of the CPU takes", "5")
	.option("--out <file>", "where it is written")
	.action((profile: string, options: DebugOptions) =>
		operate(async () => (await import("./operate/debug.js")).debug(profile, options)),
	);
