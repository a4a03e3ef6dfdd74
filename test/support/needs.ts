/**
 * What tests need from the machine beyond Node. Whatever is missing is written to the file named by
 * SLUICE_NOT_RUN, and test/run.ts repeats it at the very end: nothing is skipped silently.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { pathOf as pathIn } from "../../src/drill/programs.js";
import { missingPeer, type QuicPeer } from "./quic/programs.js";

/** Programs, and the Debian packages that bring them. */
const PACKAGES = {
	chromium: "chromium",
	curl: "curl",
	haproxy: "haproxy",
	lsof: "lsof",
	nc: "netcat-openbsd",
	netstat: "net-tools",
	nft: "nftables",
	nginx: "nginx",
	nstat: "iproute2",
	openssl: "openssl",
	promtool: "prometheus",
	ps: "procps",
	python3: "python3",
	setpriv: "util-linux",
	slowhttptest: "slowhttptest",
	sniproxy: "sniproxy",
	ss: "iproute2",
	ssh: "openssh-client",
	"ssh-keygen": "openssh-client",
	"ssh-keyscan": "openssh-client",
	sshd: "openssh-server",
	strace: "strace",
	sysctl: "procps",
	"systemd-analyze": "systemd",
	unshare: "util-linux",
} as const;

export type Program = keyof typeof PACKAGES;
export type Need =
	| Program
	| QuicPeer
	| "ipv6"
	| "nginx stream"
	| "privileged ports"
	| "mount namespaces"
	| "network namespaces"
	| "root"
	| "packets"
	| "raised limits";

/** Debian packages it apart; other builds have it inside. */
export const NGINX_STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** Debian keeps daemons where the PATH of ordinary users does not look. */
const DAEMON_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Where a program lies, or `undefined`. */
export function pathOf(program: Program): string | undefined {
	return pathIn(program, DAEMON_DIRECTORIES);
}

/** Why a test cannot run here, told to the runner as well; `undefined` when it can. */
export function notRunBecause(feature: string, needs: readonly Need[]): string | undefined {
	const programs = needs.filter((need) => need in PACKAGES).map((need) => need as Program);
	const missing = programs.filter((program) => pathOf(program) === undefined);
	const reasons = needs.flatMap((need) => missingAbility(need) ?? []);
	if (missing.length > 0) {
		const packages = [...new Set(missing.map((program) => PACKAGES[program]))];
		reasons.push(`${missing.join(", ")}: apt-get install ${packages.join(" ")}`);
	}
	if (reasons.length === 0) return undefined;
	const reason = `needs ${reasons.join(", and ")}`;
	tellNotRun(feature, reason);
	return reason;
}

/** Tells the runner that something was not run, and why. */
export function tellNotRun(feature: string, reason: string): void {
	const { SLUICE_NOT_RUN: file } = process.env;
	const script = (process.argv[1] ?? "").replace(/^.*\/dist\/test\//, "test/").replace(/\.js$/, ".ts");
	if (file !== undefined) appendFileSync(file, `${script} (${feature}) ${reason}\n`);
}

function missingAbility(need: Need): string | undefined {
	if (need === "quic-go" || need === "aioquic" || need === "curl_cffi") return missingPeer(need);
	if (need === "ipv6" && !hasIpv6()) return "IPv6 on the loopback interface";
	if (need === "nginx stream" && !nginxHasStream())
		return "nginx's stream module: apt-get install libnginx-mod-stream";
	if (need === "privileged ports" && unprivilegedFrom() !== 1024)
		return "ports below 1024 to be privileged, which they are not on this machine";
	if (need === "mount namespaces" && spawnSync("unshare", ["-rm", "true"]).status !== 0)
		return "mount namespaces for ordinary users, or root";
	if (need === "network namespaces" && !canMakeNetworks())
		return "network namespaces for ordinary users, or root, and ip (apt-get install iproute2)";
	if (need === "root" && process.getuid?.() !== 0) return "root";
	if (need === "packets" && !canDropPackets())
		return "packets in its hand: root, ip (apt-get install iproute2), network namespaces and /dev/net/tun";
	if (need === "raised limits" && !canRaiseLimits())
		return "the right to raise a hard limit: root with CAP_SYS_RESOURCE";
	return undefined;
}

function canRaiseLimits(): boolean {
	return spawnSync("sh", ["-c", "ulimit -n 500 && prlimit --pid $$ --nofile=600:600"]).status === 0;
}

/** They end with the command that is run inside. */
function canMakeNetworks(): boolean {
	const isMade = ["-n", "-rn"].some((option) => spawnSync("unshare", [option, "true"]).status === 0);
	return isMade && spawnSync("ip", ["-V"]).status === 0;
}

/** A namespace is made, and removed at once. */
function canDropPackets(): boolean {
	const name = `sluice-try-${process.pid}`;
	if (process.getuid?.() !== 0 || !existsSync("/dev/net/tun")) return false;
	if (spawnSync("ip", ["netns", "add", name]).status !== 0) return false;
	return spawnSync("ip", ["netns", "del", name]).status === 0;
}

function nginxHasStream(): boolean {
	const nginx = pathOf("nginx");
	if (nginx === undefined || existsSync(NGINX_STREAM_MODULE)) return nginx !== undefined;
	const { stderr } = spawnSync(nginx, ["-V"], { encoding: "utf8" });
	return /--with-stream(?!=dynamic)\b/.test(stderr);
}

function hasIpv6(): boolean {
	return Object.values(networkInterfaces()).some((addresses) =>
		addresses?.some(({ address }) => address === "::1"),
	);
}

/** Containers may give every port to everybody. */
function unprivilegedFrom(): number {
	return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
}
