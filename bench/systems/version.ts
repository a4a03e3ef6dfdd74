/** Finding programs and asking their version. */
import { spawnSync } from "node:child_process";

/** The first match of `pattern` in what the program prints; `null` when there is no such program. */
export function versionOf(command: string, args: readonly string[], pattern: RegExp): string | null {
	const result = spawnSync(command, args, { encoding: "utf8", timeout: 5000 });
	if (result.error !== undefined) return null;
	return pattern.exec(result.stdout + result.stderr)?.[1] ?? "unknown version";
}
