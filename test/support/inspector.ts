/** An inspector in this process, which a test shows bytes to. */
import type { TunnelSettings } from "../../src/tunnel/agent/settings.js";
import type { Detail, ListAnswer, Summary } from "../../src/tunnel/inspector/api.js";
import { Exchanges } from "../../src/tunnel/inspector/exchanges.js";
import { Follower } from "../../src/tunnel/inspector/follower.js";
import { serveInspector } from "../../src/tunnel/inspector/server.js";
import type { Scenario } from "./scenario.js";
import { tunnelTo } from "./tunnel-agent.js";
import { eventually } from "./waiting.js";

export class TestInspector {
	readonly exchanges: Exchanges;
	url = "";
	tunnel: TunnelSettings | undefined;
	close: () => Promise<void> = () => Promise.resolve();

	constructor(most: number) {
		this.exchanges = new Exchanges({ most, bodyMax: 65_536, bytesMax: 4 * 1_048_576 });
	}

	/** What passes on one line, all of it. */
	pass(request: string, answer: string | Buffer): void {
		const follower = new Follower(this.exchanges, "app");
		follower.fromVisitor(Buffer.from(request));
		follower.toVisitor(Buffer.from(answer as string));
		follower.ended("client_closed");
	}

	ask(path: string, init: RequestInit = {}): Promise<Response> {
		return fetch(`${this.url}${path}`, init);
	}

	async list(): Promise<readonly Summary[]> {
		return ((await (await this.ask("/api/exchanges")).json()) as ListAnswer).exchanges;
	}

	async viewers(): Promise<number> {
		return ((await (await this.ask("/api/exchanges")).json()) as ListAnswer).viewers;
	}

	/** Waits until so many watch. */
	async viewersAre(count: number): Promise<void> {
		await eventually(
			async () => ((await this.viewers()) === count ? true : undefined),
			() => `it has not ${count} viewers`,
		);
	}

	async detail(id: number, query = ""): Promise<Detail> {
		return (await (await this.ask(`/api/exchanges/${id}${query}`)).json()) as Detail;
	}

	/** Waits until it is over. */
	over(id: number): Promise<Detail> {
		return eventually(
			async () => {
				const detail = await this.detail(id);
				return detail.duration_ms === null ? undefined : detail;
			},
			() => `exchange ${id} is not over`,
		);
	}
}

export interface InspectorOptions {
	readonly most?: number;
	/** Where requests are sent again. */
	readonly local?: string;
}

export async function startInspector(
	scenario: Scenario,
	{ most = 100, local }: InspectorOptions = {},
): Promise<TestInspector> {
	const inspector = new TestInspector(most);
	if (local !== undefined) inspector.tunnel = tunnelTo("http", local);
	const served = await serveInspector(
		{ exchanges: inspector.exchanges, tunnel: () => inspector.tunnel },
		{ host: "127.0.0.1", port: 0 },
	);
	inspector.url = served.url;
	inspector.close = () => served.close();
	scenario.defer(() => served.close());
	return inspector;
}
