/** OpenSSH through the gateway: recognised by its banner, on a port that other protocols share. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { pathOf } from "../support/needs.js";
import { echo, startUpstream } from "../support/peers.js";
import { accepting, Child, type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

const USER = userInfo().username;

interface SshServer {
	readonly address: FreeAddress;
	readonly clientKey: string;
}

/** A real sshd with keys and configuration of its own, for the user who runs the tests. */
async function startSshd(scenario: Scenario): Promise<SshServer> {
	const directory = join(scenario.directory, "ssh");
	mkdirSync(directory, { mode: 0o700 });
	const hostKey = join(directory, "host");
	const clientKey = join(directory, "client");
	for (const key of [hostKey, clientKey]) {
		const made = await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
		assert.equal(made.status, 0, made.output);
	}
	const address = await freeAddress();
	const config = join(directory, "sshd_config");
	writeFileSync(
		config,
		`
ListenAddress ${address.text}
HostKey ${hostKey}
PidFile none
AuthorizedKeysFile ${clientKey}.pub
# The temporary directory's parents belong to others.
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
`,
	);
	// sshd wants an absolute path, and as root this directory, which Debian's service creates at boot.
	if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
	const server = new Child(pathOf("sshd") ?? "sshd", ["-D", "-e", "-f", config]);
	scenario.defer(() => server.stop());
	await accepting(address.port, address.host, server);
	return { address, clientKey };
}

function ssh(port: number, key: string, ...command: string[]): Promise<Outcome> {
	const options = [
		"StrictHostKeyChecking=no",
		"UserKnownHostsFile=/dev/null",
		"BatchMode=yes",
		"LogLevel=ERROR",
	];
	return run("ssh", [
		...["-F", "none", "-i", key, "-p", String(port)],
		...options.flatMap((option) => ["-o", option]),
		...[`${USER}@127.0.0.1`, ...command],
	]);
}

scenario(
	"ssh logs in through a port that it shares with TLS and HTTP",
	async (scenario) => {
		const sshd = await startSshd(scenario);
		const other = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: "*.test", to: other }
      - { host: "*.test", to: other }
      - { protocol: ssh, to: bastion }
upstreams: { bastion: "${sshd.address.text}", other: "${other.address}" }
`,
		);
		const said = await ssh(gateway.port(), sshd.clientKey, "echo", "through the gateway");
		assert.deepEqual([said.status, said.stdout], [0, "through the gateway\n"], said.output);
		const failed = await ssh(gateway.port(), sshd.clientKey, "exit", "3");
		assert.equal(failed.status, 3, failed.output);
		// Enough that directions are spliced, with SSH's own flow control on top.
		const bulk = await ssh(
			gateway.port(),
			sshd.clientKey,
			"head -c 20000000 /dev/zero | tr '\\0' x | md5sum; head -c 5000000 /dev/zero | tr '\\0' y",
		);
		assert.equal(bulk.stdout.length, 5_000_000 + "0123456789abcdef0123456789abcdef  -\n".length);
		for (const { protocol, route, upstream } of await gateway.sessions(3))
			assert.deepEqual([protocol, route, upstream], ["ssh", "protocol=ssh", "bastion"]);
		assert.equal(other.peers.length, 0);
	},
	{ needs: ["sshd", "ssh", "ssh-keygen"] },
);

scenario(
	"ssh-keyscan, which waits for the server's banner, is a silent client",
	async (scenario) => {
		const sshd = await startSshd(scenario);
		const gateway = await startGateway(
			scenario,
			`
timeouts: { silence: 100ms }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: "*.test", to: reject }
      - { protocol: any, to: bastion }
upstreams: { bastion: "${sshd.address.text}" }
`,
		);
		const scanned = await run("ssh-keyscan", ["-t", "ed25519", "-p", String(gateway.port()), "127.0.0.1"]);
		assert.match(scanned.stdout, /ssh-ed25519 AAAA/);
		const { protocol, route } = await gateway.onlySession();
		assert.deepEqual([protocol, route], ["unknown", "protocol=any"]);
	},
	{ needs: ["sshd", "ssh-keygen", "ssh-keyscan"] },
);
