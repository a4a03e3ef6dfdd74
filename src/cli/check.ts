/** `sluice check`: reads the configuration and says what is wrong with it, all at once. */

import type { Config } from "../config/config.js";
import { deadPeerDetection } from "../config/detection.js";
import { ConfigError, ConfigFileError, formatProblems } from "../config/errors.js";
import { loadConfigFile } from "../config/load.js";
import { formatDuration } from "../config/units.js";
import { CertificateError, loadCertificates, usesTls } from "../gateway/certificates.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";
import { print } from "../kernel/print.js";

export interface Answer {
	/** Exit status: 0 when the file is good, 2 when it has problems, 1 when it cannot be read. */
	readonly status: number;
	/** What is found, for people. */
	readonly text: string;
}

/** Says what `check` finds, on standard output when all is well. Returns the exit status. */
export async function checkAndPrint(file: string): Promise<number> {
	const { status, text } = check(file);
	const lost = await print(status === 0 ? 1 : 2, text);
	// The status is the answer, and it stands although the text is lost.
	if (lost !== undefined && status === 0)
		await print(2, `sluice check: ${file} is ok, but standard output cannot be written: ${lost}\n`);
	return status;
}

export function check(file: string): Answer {
	try {
		const config = loadConfigFile(file);
		const findings = [
			...config.warnings.map((each) => formatProblems({ problems: [each] })),
			...inspectFiles(config),
		];
		if (findings.length > 0) return { status: 2, text: `${findings.join("\n")}\n` };
		const { listeners, upstreams } = config;
		const routes = listeners.reduce((sum, listener) => sum + listener.routes.length, 0);
		const counts = [
			count(listeners.length, "listener"),
			count(routes, "route"),
			count(upstreams.length, "upstream"),
		];
		const { silentMs, unacknowledgedMs } = deadPeerDetection(config);
		const lines = [
			`${file}: ok (${counts.join(", ")})\n`,
			`dead peers: found after ${formatDuration(silentMs)} of silence, or ${formatDuration(unacknowledgedMs)} after the first byte that stays unacknowledged\n`,
		];
		const why = usesTls(config) ? whyNoSystemCalls() : undefined;
		if (why !== undefined)
			lines.push(`certificates: looked into, but not tried with OpenSSL, because ${why}\n`);
		return { status: 0, text: lines.join("") };
	} catch (error) {
		if (error instanceof ConfigError) return { status: 2, text: `${formatProblems(error)}\n` };
		if (error instanceof ConfigFileError) return { status: 1, text: `${error.message}\n` };
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
