/**
 * A drill in a network namespace of its own: the command executes itself anew inside of one, and all that it starts is there, too. Nothing
 * leaves it, because its one interface is loopback; and settings of the kernel that it changes are of that namespace alone.
 */
import { spawnSync } from "node:child_process";
import { execute, ownArguments } from "../kernel/execute.js";
import { waysOut } from "../kernel/raw-socket.js";
import { ip } from "../rig/network-namespace.js";
import { isInside, markInside } from "./namespace-settings.js";
import { DrillUsageError } from "./options.js";
import { pathOf } from "./programs.js";

/** Root may make one; others only with a user namespace around it, in which they are root. */
const OPTIONS = ["-n", "-rn"] as const;

/** Returns in a new namespace, whose loopback is up. The process stays the same, and so does whoever waits for it. */
export function enterOwnNamespace(name: string): void {
	if (isInside()) {
		prepare();
		return;
	}
	if (spawnSync("ip", ["-V"]).error !== undefined)
		throw new DrillUsageError(`${name} needs ip: apt-get install iproute2`);
	const unshare = pathOf("unshare");
	if (unshare === undefined) throw new DrillUsageError(`${name} needs unshare: apt-get install util-linux`);
	const option = OPTIONS.find((each) => spawnSync(unshare, [each, "true"]).status === 0);
	if (option === undefined) throw new DrillUsageError(`${name} ${whyNot()}`);
	const [, ...words] = ownArguments();
	const before = ["unshare", option, process.execPath].map((word) => Buffer.from(word));
	markInside();
	execute(unshare, [...before, ...words]);
	throw new Error(`${unshare} could not be executed`);
}

function whyNot(): string {
	const why = "happens in a network namespace of its own, and this user may make none";
	const how =
		process.getuid?.() === 0
			? "CAP_SYS_ADMIN is missing: in a container, docker run --cap-add SYS_ADMIN --cap-add NET_ADMIN"
			: "run it as root, or allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 on Debian, sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu";
	return `${why}; ${how}`;
}

/** A new namespace has loopback alone, and that is down. */
function prepare(): void {
	const ways = waysOut();
	if (ways.length > 0) throw new Error(`the new network namespace has ${ways.join(", ")}`);
	const problem = ip("link", "set", "lo", "up");
	if (problem !== null) throw new Error(`ip link set lo up: ${problem}`);
}
