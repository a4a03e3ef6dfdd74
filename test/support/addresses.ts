/** Addresses for programs that cannot be told "any free port". */

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

export interface FreeAddress {
	readonly host: string;
	readonly port: number;
	/** `127.31.7.200:40123` */
	readonly text: string;
}

/**
 * A free port on a loopback address that nobody else uses: the kernel gives ports away per address, so what
 * is free there stays free until its owner binds it. All of 127.0.0.0/8 is loopback.
 */
export async function freeAddress(): Promise<FreeAddress> {
	const part = (low: number, count: number) => low + Math.floor(Math.random() * count);
	const host = `127.${part(1, 250)}.${part(0, 250)}.${part(1, 250)}`;
	const server = createServer();
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(0, host, resolve);
	});
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return { host, port, text: `${host}:${port}` };
}
