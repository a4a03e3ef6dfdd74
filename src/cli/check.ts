/** `sluice check`: reads the configuration and says what is wrong with it, all at once. */

import type { Config } from "../config/config.js";
import { deadPeerDetection } from "../config/detection.js";
import { ConfigError, ConfigFileError, formatProblems } from "../config/errors.js";
import { loadConfigFile } from "../config/load.js";
import { HUB } from "../config/names.js";
import { formatDuration } from "../config/units.js";
import { CertificateError, loadCertificates, usesTls } from "../gateway/certificates.js";
import { StartError } from "../gateway/errors.js";
import { readTokenKeys } from "../hub/key-file.js";
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
		const certificates = tried(() => loadCertificates(config).warnings);
		const unusable = [...certificates.problems, ...keyProblems(config)];
		if (unusable.length > 0) return { status: 2, text: `${unusable.join("\n")}\n`, warnings: "" };
		const findings = [
			...config.warnings.map((each) => formatProblems({ problems: [each] })),
			...certificates.warnings,
		];
		const warnings = findings.map((finding) => `${finding}\n`).join("");
		if (strict && warnings !== "") return { status: 2, text: warnings, warnings: "" };
		const { listeners, upstreams } = config;
		const routes = listeners.reduce((sum, listener) => sum + listener.routes.length, 0);
		const counts = [
			count(listeners.length, "listener"),
			count(routes, "route"),
			count(upstreams.filter(({ hub }) => hub === undefined).length, "upstream"),
		];
		const lines = [
			`${file}: ok (${counts.join(", ")})${findings.length === 0 ? "" : `, with ${count(findings.length, "warning")}`}\n`,
			deadPeers(config),
			...toTheHub(config),
		];
		const why = usesTls(config) ? whyNoSystemCalls() : undefined;
		if (why !== undefined)
			lines.push(`certificates: looked into, but not tried with OpenSSL, because ${why}\n`);
		return { status: 0, text: lines.join(""), warnings };
	} catch (error) {
		if (error instanceof ConfigFileError) return { status: 1, text: `${error.message}\n`, warnings: "" };
		if (error instanceof ConfigError) return { status: 2, text: `${formatProblems(error)}\n`, warnings: "" };
		throw error;
	}
}

/** What is wrong with certificates, or what clients would refuse of them. */
function tried(load: () => readonly string[]): {
	readonly problems: readonly string[];
	readonly warnings: readonly string[];
} {
	try {
		return { problems: [], warnings: load() };
	} catch (error) {
		if (error instanceof CertificateError) return { problems: error.problems, warnings: [] };
		if (error instanceof StartError) return { problems: [error.message], warnings: [] };
		throw error;
	}
}

/** What is wrong with the file of the hub's keys: a sentence that begins with where it is named, and the file. */
function keyProblems({ hub, places }: Config): string[] {
	const path = hub?.keysFile ?? null;
	if (path === null) return [];
	try {
		readTokenKeys(path);
		return [];
	} catch (error) {
		const place = places.get("hub")?.get(path);
		const { message } = error as Error;
		return [place === undefined ? message : `${place}: ${message}`];
	}
}

/** How subscribers come: by the listener it is easily another way than was meant. */
function toTheHub({ listeners }: Config): string[] {
	return listeners.flatMap(({ name, readsRequests, routes }) =>
		routes
			.filter(({ to }) => to === HUB)
			.map(({ label, channel }) => {
				const route = label === "*" ? "" : ` ${label}`;
				const by = readsRequests
					? "WebSockets and event streams"
					: `framed TCP, for ${channel ?? "the channels that are asked for"}`;
				return `to the hub: ${name}${route}: ${by}\n`;
			}),
	);
}

/** Of datagrams nobody acknowledges anything: they have a deadline alone. */
function deadPeers(config: Config): string {
	if (config.tunnels === null && config.listeners.every(({ datagrams }) => datagrams !== undefined))
		return "";
	const { silentMs, unacknowledgedMs } = deadPeerDetection(config);
	return `dead peers: found after ${formatDuration(silentMs)} of silence, or ${formatDuration(unacknowledgedMs)} after the first byte that stays unacknowledged\n`;
}

function count(amount: number, noun: string): string {
	return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
