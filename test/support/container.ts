/** What the image says of itself, and a process that is shut in as its containers are. */
import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { ROOT } from "./pieces.js";
import { type Child, start } from "./processes.js";
import type { Scenario } from "./scenario.js";

export interface Instruction {
	readonly name: string;
	/** With lines that go on joined to one. */
	readonly value: string;
}

/** The Dockerfile, instruction by instruction. */
export function dockerfile(): readonly Instruction[] {
	const text = readFileSync(join(ROOT, "Dockerfile"), "utf8")
		.replace(/^\s*#.*\n/gm, "")
		.replace(/\\\n/g, " ");
	return [...text.matchAll(/^([A-Z]+)\s+(.+)$/gm)].map(([, name = "", value = ""]) => ({
		name,
		value: value.replace(/\s+/g, " ").trim(),
	}));
}

/** Values of the instructions of that name, in order. */
export function instructions(name: string): readonly string[] {
	return dockerfile()
		.filter((instruction) => instruction.name === name)
		.map(({ value }) => value);
}

/** Of `USER`: who runs in the image. */
export function imageUser(): { readonly uid: number; readonly gid: number } {
	const [user = ""] = instructions("USER");
	const [uid = "", gid = ""] = user.split(":");
	return { uid: Number(uid), gid: Number(gid) };
}

/** Duration as configurations write it, in seconds. */
export function seconds(duration: string): number {
	const [, count = "", unit = ""] = /^(\d+)(ms|s|m|h)$/.exec(duration) ?? [];
	return Number(count) * ({ ms: 0.001, s: 1, m: 60, h: 3600 }[unit] ?? Number.NaN);
}

/**
 * Nothing can be written but what was open before, no right is left, and none can be won. What is bound elsewhere stays
 * as it is, so that the folder of the scenario is made read-only on its own as well.
 */
const SHUT_IN = `
mount --make-rprivate /
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount -o remount,bind,ro /
shift
exec setpriv --reuid "$1" --regid "$2" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- sh -c '
	if (: > "$1/written") 2>/dev/null; then echo "the folder can be written"; exit 1; fi
	shift
	exec "$@"' - "$3" "$4" "$5" run -c "$6"`;

/** `sluice run`, as the image's user runs it in a container of which the root is read-only. */
export function startShutIn(scenario: Scenario, folder: string, file: string): Child {
	const { uid, gid } = imageUser();
	const given = [folder, String(uid), String(gid), folder, process.execPath, MAIN, file];
	return start(scenario, "unshare", ["-m", "sh", "-ec", SHUT_IN, "-", ...given]);
}

/** A folder as the kubelet mounts a ConfigMap: files are links into a folder that a link names, and only that one changes. */
export class MountedConfig {
	readonly folder: string;
	#version = 0;

	constructor(scenario: Scenario, name: string, text: string) {
		chmodSync(scenario.directory, 0o755);
		this.folder = join(scenario.directory, "mounted");
		mkdirSync(this.folder, { mode: 0o755 });
		this.put(name, text);
		symlinkSync(join("..data", name), join(this.folder, name));
	}

	put(name: string, text: string): void {
		const version = `..${++this.#version}`;
		mkdirSync(join(this.folder, version), { mode: 0o755 });
		writeFileSync(join(this.folder, version, name), text, { mode: 0o644 });
		symlinkSync(version, join(this.folder, "..data_tmp"));
		renameSync(join(this.folder, "..data_tmp"), join(this.folder, "..data"));
	}
}
