/** Rules of the admin port: where it may be spoken to in the open, and what goes together. */
import { resolve } from "node:path";
import { parseAdmin } from "./address.js";
import { bindText, isLoopback } from "./bind-rules.js";
import { SOCKET_PATH_MAX_BYTES } from "./bounds.js";
import { attempt, mapping } from "./plain.js";
import type { Report } from "./source.js";
import { isOff } from "./switches.js";
import { writtenAdmin } from "./written-addresses.js";

export function checkAdmin(admin: unknown, baseDir: string, report: Report): void {
	const { value, path } = writtenAdmin(admin);
	const address = attempt(value, parseAdmin);
	if (address === null) return;
	const { tls, mode, insecure } = mapping(admin);
	const isAllowed = insecure !== undefined && !isOff(insecure);
	const idle = (key: string, why: string): void =>
		report.problem(["admin", key], `"${key}" does nothing ${why}: remove it`, "key");
	if (address.kind === "unix") {
		const file = resolve(baseDir, address.path);
		if (Buffer.byteLength(file) > SOCKET_PATH_MAX_BYTES)
			report.problem(path, `the socket path ${file} is longer than ${SOCKET_PATH_MAX_BYTES} bytes`);
		if (tls !== undefined) idle("tls", "on a Unix socket, which nobody can listen in on");
		if (isAllowed) idle("insecure", "on a Unix socket, which nobody can listen in on");
		return;
	}
	if (mode !== undefined) idle("mode", "on an IP address: permissions are those of a Unix socket's file");
	const isExposed = !isLoopback(address.host) && tls === undefined;
	if (isAllowed && !isExposed) idle("insecure", tls === undefined ? "on loopback" : 'beside "tls"');
	if (!isExposed || isAllowed) return;
	const at = bindText(address);
	report.problem(
		path,
		`on ${at} the admin pages and their tokens would cross the network in the open: write admin: { listen: "${at}", tls: { cert: admin.pem, key: admin.key } }, or bind 127.0.0.1:${address.port}; "insecure: true" instead of "tls" allows it all the same`,
	);
}
