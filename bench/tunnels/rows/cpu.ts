/** Figures of the CPU that a unit of work costs both ends. */
import { Figure, type FigureSpec } from "../../figure.js";
import type { Spent } from "../bench.js";
import { rathole, ratholeNoise, sluiceHttp, sluiceTls } from "../systems/index.js";

/** Lines in the open, and those with TLS beside noise. */
const SAME_LINES = { kind: "ratio", atMost: 0.8 } as const;
/** Requests are read, and lines have TLS, where the reference passes bytes in the open. */
const READ = { kind: "ratio", atMost: 1.2 } as const;

/**
 * Both ends together, judged three times; then each. `row`: its id; `title`: with the unit of work. Their values are what
 * `cpuValues` gives.
 */
export function cpuFigures(row: string, title: string): Figure[] {
	const common = { unit: "µs", digits: 1 };
	const made = (part: string, more: Pick<FigureSpec, "title" | "target"> & Partial<FigureSpec>): Figure =>
		new Figure({ ...common, id: `${row}.cpu${part}`, ...more });
	return [
		made("", { title: `${title}: CPU of gateway and agent`, target: SAME_LINES }),
		made(".tls", {
			title: `${title}, lines with TLS`,
			...{ target: SAME_LINES, subject: sluiceTls.id, reference: ratholeNoise.id, repeats: true },
		}),
		made(".http", {
			title: `${title}, by HTTP`,
			...{ target: READ, subject: sluiceHttp.id, reference: rathole.id, repeats: true },
		}),
		made(".gateway", { title: "… of the gateway", target: null }),
		made(".agent", { title: "… of the agent", target: null }),
	];
}

/** Of so many units of work. */
export function cpuValues({ gatewayNs, agentNs }: Spent, count: number): number[] {
	const [gateway, agent] = [gatewayNs / 1000 / count, agentNs / 1000 / count] as const;
	return [gateway + agent, gateway + agent, gateway + agent, gateway, agent];
}
