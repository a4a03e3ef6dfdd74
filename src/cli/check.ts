/** `sluice check`: reads the configuration and says what is wrong with it, all at once. */

import type { Config } from "../config/config.js";
import { deadPeerDetection } from "../config/detection.js";
import { ConfigError, ConfigFileError, formatProblems } from "../config/errors.js";
import { loadConfigFile } from "../config/load.js";
import { formatDuration } from "../config/units.js";
import { CertificateError, loadCertificates } from "../gateway/certificates.js";

/** Returns the exit code: 0 when the file is good, 2 when it has problems, 1 when it cannot be read. */
export function check(file: string): number {
	try {
		const config = loadConfigFile(file);
		const findings = inspectFiles(config);
		if (findings.length > 0) {
			process.stderr.write(`${findings.join("\n")}\n`);
			return 2;
		}
		const { listeners, upstreams } = config;
		const routes = listeners.reduce((sum, listener) => sum + listener.routes.length, 0);
		const counts = [
			count(listeners.length, "listener"),
			count(routes, "route"),
			count(upstreams.length, "upstream"),
		];
		process.stdout.write(`${file}: ok (${counts.join(", ")})\n`);
		const { silentMs, unacknowledgedMs } = deadPeerDetection(config);
		process.stdout.write(
			`dead peers: found after ${formatDuration(silentMs)} of silence, or ${formatDuration(unacknowledgedMs)} after the first byte that stays unacknowledged\n`,
		);
		return 0;
	} catch (error) {
		if (error instanceof ConfigError) {
			process.stderr.write(`${formatProblems(error)}\n`);
			return 2;
		}
		if (error instanceof ConfigFileError) {
			process.stderr.write(`${error.message}\n`);
			return 1;
		}
		throw error;
	}
}

/** What would keep its certificates from working, or some clients from accepting them. */
function inspectFiles(config: Config): readonly string[] {
	try {
		return loadCertificates(config).warnings;
	} catch (error) {
		if (error instanceof CertificateError) return error.problems;
		throw error;
	}
}

function count(amount: number, noun: string): string {
	return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
