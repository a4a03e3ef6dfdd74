/** Reads a gateway's metrics over one connection that is kept, so that looking costs the same descriptor at all times. */
import { Agent, get } from "node:http";
import type { HubFigures, TargetMetrics } from "../target.js";

/** A gateway that does not answer by then counts as silent for this sample. */
const TIMEOUT_MS = 1000;

/** What names of figures of the hub begin with. */
const HUB = "sluice_hub_";

export class MetricsReader {
	readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
	readonly #port: number;
	readonly #linkListener: string | null;

	/** `linkListener`: name of the listener on the drill's own link. */
	constructor(port: number, linkListener: string | null) {
		this.#port = port;
		this.#linkListener = linkListener;
	}

	async read(): Promise<TargetMetrics | null> {
		const text = await this.#fetch();
		return text === null ? null : parseMetrics(text, this.#linkListener);
	}

	#fetch(): Promise<string | null> {
		return new Promise((resolve) => {
			const options = { port: this.#port, path: "/metrics", agent: this.#agent, timeout: TIMEOUT_MS };
			const request = get(options, (response) => {
				let text = "";
				response.setEncoding("utf8").on("data", (piece: string) => {
					text += piece;
				});
				response.on("end", () => resolve(text));
				response.on("error", () => resolve(null));
			});
			request.on("timeout", () => request.destroy(new Error("timeout")));
			request.on("error", () => resolve(null));
		});
	}

	close(): void {
		this.#agent.destroy();
	}
}

export function parseMetrics(text: string, linkListener: string | null): TargetMetrics {
	const closedByReason: Record<string, number> = {};
	const sums = new Map<string, number>();
	const channels: Record<string, Record<string, number>> = {};
	let linkSessions = 0;
	let parkedLines = 0;
	for (const line of text.split("\n")) {
		const found = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
		if (found === null) continue;
		const [, name = "", labels = "", written = ""] = found;
		const value = Number(written);
		sums.set(name, (sums.get(name) ?? 0) + value);
		const label = (key: string): string | undefined => new RegExp(`${key}="([^"]*)"`).exec(labels)?.[1];
		if (name === "sluice_sessions_closed_total") {
			const reason = label("reason") ?? "";
			closedByReason[reason] = (closedByReason[reason] ?? 0) + value;
		} else if (name === "sluice_tunnel_lines" && label("state") === "parked") parkedLines += value;
		else if (name.startsWith(HUB) && label("match") !== undefined) {
			const channel = label("match") ?? "";
			channels[channel] = { ...channels[channel], [name.slice(HUB.length)]: value };
		} else if (
			name === "sluice_connections_active" &&
			linkListener !== null &&
			label("listener") === linkListener
		)
			linkSessions += value;
	}
	return {
		sessions: sums.get("sluice_connections_active") ?? 0,
		acceptQueueLimit: sums.get("sluice_accept_queue_limit") ?? 0,
		socketMemoryBytes: sums.get("sluice_socket_memory_bytes") ?? 0,
		keptDescriptors: 2 * (sums.get("sluice_pipes_open") ?? 0) + parkedLines,
		ledgerDiscrepancy: sums.get("sluice_ledger_discrepancy") ?? null,
		closedByReason,
		synReceived: sums.get("sluice_kernel_syn_received") ?? null,
		cookiesSent: sums.get("sluice_kernel_syncookies_sent_total") ?? null,
		linkSessions,
		hub: hubOf(sums, channels),
		halfHellos: sums.get("sluice_half_hellos") ?? null,
		halfHellosGivenUp: sumOf(sums, [
			"sluice_half_hellos_displaced_total",
			"sluice_half_hellos_expired_total",
		]),
	};
}

function hubOf(sums: ReadonlyMap<string, number>, channels: HubFigures["channels"]): HubFigures | null {
	const outboxBytes = sums.get(`${HUB}outbox_bytes`);
	return outboxBytes === undefined
		? null
		: { outboxBytes, blocked: sums.get(`${HUB}blocked`) ?? 0, channels };
}

/** `null`: none of them is there. */
function sumOf(sums: ReadonlyMap<string, number>, names: readonly string[]): number | null {
	const known = names.flatMap((name) => sums.get(name) ?? []);
	return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}
