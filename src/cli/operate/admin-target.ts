/** Where operating commands ask: an address in the open, one through TLS, or a Unix socket. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseAdmin, parseHttpUrl } from "../../config/address.js";
import type { AdminConfig } from "../../config/config.js";
import { ConfigError, InvalidValue } from "../../config/errors.js";
import { loadAdmin } from "../../config/load-admin.js";
import { bracketed } from "../../parts/bracketed.js";
import { OperateError, type Where } from "./operate-error.js";

export type AdminTarget =
	| { readonly kind: "unix"; readonly path: string }
	| { readonly kind: "ip"; readonly host: string; readonly port: number; readonly tls: TargetTls | null };

/** Whose certificate is believed. */
export interface TargetTls {
	/** Authorities in this file; `null`: those that Node carries. */
	readonly caFile: string | null;
	/** The gateway's own certificate, which who has its configuration knows: shown by it, it is believed as it is. */
	readonly certFile: string | null;
}

export interface Asked {
	readonly target: AdminTarget;
	/** As the configuration has it. */
	readonly token: string | null;
}

/** @throws OperateError */
export function targetOf({ config, admin, ca }: Where): Asked {
	const asked = admin === undefined ? ofConfig(config, ca) : { target: ofText(admin, ca), token: null };
	const { target } = asked;
	if (ca !== undefined && (target.kind === "unix" || target.tls === null))
		throw new OperateError(
			`--ca does nothing for ${nameOf(target)}, which is not asked through TLS: remove it, or write --admin https://HOST:PORT`,
		);
	return asked;
}

/** As it stands behind `--admin`. */
export function nameOf(target: AdminTarget): string {
	if (target.kind === "unix") return `unix:${target.path}`;
	const { host, port, tls } = target;
	return `${tls === null ? "" : "https://"}${bracketed(host)}:${port}`;
}

function ofText(text: string, ca: string | undefined): AdminTarget {
	try {
		if (/^https:/i.test(text)) {
			const { endpoint } = parseHttpUrl(text);
			if (endpoint.kind === "unix")
				throw new InvalidValue(`a socket path is written "unix:${endpoint.path}"`);
			const host = endpoint.kind === "ip" ? endpoint.address : endpoint.host;
			return { kind: "ip", host, port: endpoint.port, tls: { caFile: ca ?? null, certFile: null } };
		}
		const address = parseAdmin(text.replace(/^http:\/\/([^/]*)\/?$/i, "$1"));
		if (address.kind === "unix") return { kind: "unix", path: resolve(address.path) };
		return { ...address, host: reachable(address.host), tls: null };
	} catch (error) {
		if (error instanceof InvalidValue) throw new OperateError(`--admin: ${error.message}`);
		throw error;
	}
}

/** Looked for in this order where nothing is said. */
const USUAL_FILES = ["sluice.yaml", "/etc/sluice/sluice.yaml"] as const;

function ofConfig(said: string | undefined, ca: string | undefined): Asked {
	const file = said ?? USUAL_FILES.find((each) => existsSync(each));
	if (file === undefined)
		throw new OperateError(
			`say where the gateway is: -c FILE, or --admin 127.0.0.1:9090, https://HOST:PORT or unix:PATH; there is no ${USUAL_FILES.join(" here, and no ")}`,
		);
	try {
		const { admin, adminTokens } = loadAdmin(file);
		if (admin !== null) return { target: ofAdmin(admin, ca), token: adminTokens.full ?? adminTokens.read };
	} catch (error) {
		if (error instanceof ConfigError) throw new OperateError(`${error.message}\n(or say --admin HOST:PORT)`);
		throw error;
	}
	throw new OperateError(`${file} has no admin port: add admin: 127.0.0.1:9090, and start the gateway anew`);
}

function ofAdmin(admin: AdminConfig, ca: string | undefined): AdminTarget {
	if (admin.kind === "unix") return { kind: "unix", path: admin.path };
	const { host, port, tls } = admin;
	return {
		...{ kind: "ip", host: reachable(host), port },
		tls: tls === null ? null : { caFile: ca ?? null, certFile: tls.certFile },
	};
}

/** Where to ask a port that is bound to every address. */
const ANYWHERE = new Map([
	["0.0.0.0", "127.0.0.1"],
	["::", "::1"],
]);

function reachable(host: string): string {
	return ANYWHERE.get(host) ?? host;
}
