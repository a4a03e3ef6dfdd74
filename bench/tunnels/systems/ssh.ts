import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { versionOf } from "../../systems/version.js";
import { type TunnelSystem, WAYS } from "../system.js";

/** It runs itself anew for each client, by its whole name. Not everybody has this directory on the PATH. */
const SSHD = "/usr/sbin/sshd";
/** Where it runs as root, it wants this directory, which the system's own service makes at its start. */
const PRIVILEGE_SEPARATION = "/run/sshd";

export const ssh: TunnelSystem = {
	id: "ssh",
	note: "ssh -R to a sshd of its own, OpenSSH's default cipher, no compression; all visitors through one connection",
	version: () => (existsSync(SSHD) ? versionOf("ssh", ["-V"], /OpenSSH_(\S+)/) : null),
	install: "apt-get install openssh-server openssh-client",
	cannot: { parked: "it parks no lines" },
	manner: "port",

	prepare({ agents, listen, to, directory }) {
		const hostKey = newKey(join(directory, "host"));
		const userKey = newKey(join(directory, "user"));
		const file = join(directory, "sshd_config");
		writeFileSync(
			file,
			`
ListenAddress 127.0.0.1:${agents}
HostKey ${hostKey}
AuthorizedKeysFile ${userKey}.pub
StrictModes no
PidFile none
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
AllowTcpForwarding yes
LogLevel ERROR
`,
		);
		const { uid, username } = userInfo();
		if (uid === 0) mkdirSync(PRIVILEGE_SEPARATION, { recursive: true, mode: 0o755 });
		const options = [
			...["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no"],
			...["UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ExitOnForwardFailure=yes"],
		];
		return {
			gateway: { command: SSHD, args: ["-D", "-e", "-f", file] },
			agents: [
				{
					command: "ssh",
					args: [
						...["-F", "none", "-N", "-T", "-i", userKey, "-p", String(agents)],
						...options.flatMap((option) => ["-o", option]),
						...WAYS.flatMap((way) => ["-R", `127.0.0.1:${listen[way]}:127.0.0.1:${to[way]}`]),
						`${username}@127.0.0.1`,
					],
				},
			],
		};
	},
};

function newKey(file: string): string {
	const { status, stderr } = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file], {
		...{ encoding: "utf8", timeout: 10_000 },
	});
	if (status !== 0) throw new Error(`ssh-keygen made no key: ${stderr}`);
	return file;
}
