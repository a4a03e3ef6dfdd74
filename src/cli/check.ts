/** `sluice check`: reads the configuration and says what is wrong with it, all at once. */

import { deadPeerDetection } from "../config/detection.js";
import { ConfigError, ConfigFileError, formatProblems } from "../config/errors.js";
import { loadConfigFile } from "../config/load.js";
import { formatDuration } from "../config/units.js";
import { CertificateError, loadCertificates, usesTls } from "../gateway/certificates.js";
import { StartError } from "../gateway/errors.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";
import { print } from "../kernel/print.js";

export interface Answer {
	/** Exit status: 0 when the file is good, 2 when it has problems, 1 when it cannot be read. */
	readonly status: number;
	/** What is found, for people. */
	readonly text: string;
	/** What the file is good in spite of; it stands in `text` when it is not. */
	readonly warnings: string;
}

export interface CheckOptions {
	/** Warnings are problems. */
	readonly strict?: boolean;
}

/** Says what `check` finds, on standard output when all is well; warnings always go to standard error. Returns the exit status. */
export async function checkAndPrint(file: string, options: CheckOptions = {}): Promise<number> {
	const { status, text, warnings } = check(file, options);
	if (warnings !== "") await print(2, warnings);
	const lost = await print(status === 0 ? 1 : 2, text);
	// The status is the answer, and it stands although the text is lost.
	if (lost !== undefined && status === 0)
		await print(2, `sluice check: ${file} is ok, but standard output cannot be written: ${lost}\n`);
	return status;
}

export function check(file: string, { strict = false }: CheckOptions = {}): Answer {
	try {
		const config = loadConfigFile(file);
		const findings = [
			...config.warnings.map((each) => formatProblems({ problems: [each] })),
			...loadCertificates(config).warnings,
		];
		const warnings = findings.map((finding) => `${finding}\n`).join("");
		if (strict && warnings !== "") return { status: 2, text: warnings, warnings: "" };
		const { listeners, upstreams } = config;
		const routes = listeners.reduce((sum, listener) => sum + listener.routes.length, 0);
		const counts = [
			count(listeners.length, "listener"),
			count(routes, "route"),
			count(upstreams.length, "upstream"),
		];
		const { silentMs, unacknowledgedMs } = deadPeerDetection(config);
		const lines = [
			`${file}: ok (${counts.join(", ")})${findings.length === 0 ? "" : `, with ${count(findings.length, "warning")}`}\n`,
			`dead peers: found after ${formatDuration(silentMs)} of silence, or ${formatDuration(unacknowledgedMs)} after the first byte that stays unacknowledged\n`,
		];
		const why = usesTls(config) ? whyNoSystemCalls() : undefined;
		if (why !== undefined)
			lines.push(`certificates: looked into, but not tried with OpenSSL, because ${why}\n`);
		return { status: 0, text: lines.join(""), warnings };
	} catch (error) {
		if (error instanceof ConfigFileError) return { status: 1, text: `${error.message}\n`, warnings: "" };
		return { status: 2, text: `${problemsOf(error)}\n`, warnings: "" };
	}
}

/** What is wrong with the file, or with files that it names. */
function problemsOf(error: unknown): string {
	if (error instanceof ConfigError) return formatProblems(error);
	if (error instanceof CertificateError) return error.problems.join("\n");
	if (error instanceof StartError) return error.message;
	throw error;
}

function count(amount: number, noun: string): string {
	return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
