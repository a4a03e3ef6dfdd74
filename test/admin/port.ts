/** The admin port of a view that a test fills in, and how it is asked. */
import { once } from "node:events";
import { type IncomingMessage, type RequestOptions, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { openAdmin } from "../../src/admin/server.js";
import type { AdminView } from "../../src/admin/view.js";
import { viewOf } from "./view.js";

/** Resolves with its port; it closes with the test. */
export async function startAdmin(t: TestContext, changes: Partial<AdminView> = {}): Promise<number> {
	const admin = await openAdmin({ host: "127.0.0.1", port: 0 }, viewOf(changes));
	t.after(() => admin.close());
	return (admin.server.address() as AddressInfo).port;
}

export interface Answered {
	readonly status: number | undefined;
	readonly headers: IncomingMessage["headers"];
	readonly body: string;
}

export async function askAdmin(port: number, path: string, options: RequestOptions = {}): Promise<Answered> {
	const sent = request({ ...options, host: "127.0.0.1", port, path, agent: false });
	sent.end();
	const [response] = (await once(sent, "response")) as [IncomingMessage];
	response.setEncoding("utf8");
	let body = "";
	for await (const part of response) body += part;
	return { status: response.statusCode, headers: response.headers, body };
}
