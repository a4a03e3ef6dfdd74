/** Opens the admin port that a config asks for: on an address, in the open or through TLS, or on a Unix socket. */
import type { AddressInfo } from "node:net";
import { type AdminPort, openAdmin } from "../admin/server.js";
import type { AdminView } from "../admin/view.js";
import type { AdminConfig } from "../config/config.js";
import { closeDescriptor } from "../kernel/sockets.js";
import { bracketed } from "../parts/bracketed.js";
import { openAdminSocket } from "./admin-socket.js";
import type { Certificates } from "./certificates.js";
import { StartError } from "./errors.js";

/** An admin port, and the file that goes with it. */
export interface OpenAdmin extends AdminPort {
	/** Of an IP address. */
	readonly port: number | undefined;
	/** As operators say where it is: `127.0.0.1:9090`, `https://10.0.0.5:9090`, `unix:/run/sluice/admin.sock`. */
	readonly name: string;
}

/** @throws StartError */
export async function openAdminPort(
	admin: AdminConfig,
	view: AdminView,
	{ admin: certificate }: Certificates,
): Promise<OpenAdmin> {
	if (admin.kind === "unix") return openOnSocket(admin, view);
	const { host, port } = admin;
	const at = (number: number): string => `${bracketed(host)}:${number}`;
	try {
		const opened = await openAdmin({ host, port }, view, certificate);
		const bound = (opened.server.address() as AddressInfo).port;
		return { ...opened, port: bound, name: `${certificate === null ? "" : "https://"}${at(bound)}` };
	} catch (error) {
		throw StartError.listening(`${at(port)} (admin)`, port, error);
	}
}

async function openOnSocket(
	{ path, mode }: Extract<AdminConfig, { kind: "unix" }>,
	view: AdminView,
): Promise<OpenAdmin> {
	const name = `unix:${path}`;
	try {
		const { fd, remove } = await openAdminSocket(path, mode);
		const opened = await openAdmin({ fd }, view).catch((error: unknown) => {
			remove();
			closeDescriptor(fd);
			throw error;
		});
		const close = async (): Promise<void> => {
			// Before it closes: who finds the file until then is answered.
			remove();
			await opened.close();
		};
		return { ...opened, close, port: undefined, name };
	} catch (error) {
		throw StartError.atFile(`${name} (admin)`, path, error);
	}
}

/** What of it only a restart changes: all but which files its certificate is in. */
export function lastingPart(admin: AdminConfig | null): unknown {
	return admin?.kind === "ip" ? { ...admin, tls: admin.tls !== null } : admin;
}
