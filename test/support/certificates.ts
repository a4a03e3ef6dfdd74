/** Certificates made when a test runs: none is kept, and none expires while nobody looks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./processes.js";
import type { Scenario } from "./scenario.js";

export interface Certificate {
	readonly certFile: string;
	readonly keyFile: string;
	readonly cert: string;
	readonly key: string;
}

/** A self-signed certificate for these names; the first one is its subject. */
export async function makeCertificate(scenario: Scenario, ...names: readonly string[]): Promise<Certificate> {
	const subject = names[0] ?? "localhost";
	const certFile = join(scenario.directory, `${subject}.pem`);
	const keyFile = join(scenario.directory, `${subject}.key`);
	const made = await run("openssl", [
		...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
		...["-days", "2", "-subj", `/CN=${subject}`],
		...["-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`],
		...["-keyout", keyFile, "-out", certFile],
	]);
	if (made.status !== 0) throw new Error(`openssl req failed:\n${made.output}`);
	return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
}
