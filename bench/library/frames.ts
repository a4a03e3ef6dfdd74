/** What joining small frames into one write saves, by flush policy. */
import { Helper } from "../../src/rig/helper.js";
import { LoadError } from "../load/asking.js";
import { inOrder } from "../order.js";
import type { Claim, Round } from "./claims.js";
import type { FramesNews, Policy } from "./frames-writer.js";
import type { LibraryRow } from "./row.js";

const FRAMES = 200_000;
const FRAMES_QUICK = 10_000;
const POLICIES: readonly Policy[] = ["immediate", "tick", "manual"];

/** 100 frames are written in a turn: of `tick`, 10 writes a thousand. One more for what does not divide. */
const WRITES_MAX = 11;

const CPU = { unit: "µs", digits: 2, metric: "cpuUs", how: "ratio", beside: "immediate" } as const;
const WRITES = { unit: "", digits: 1, metric: "writes", how: "value" } as const;
const WRITES_TITLE = "writes per 1,000 frames";

const claims: readonly Claim[] = [
	{ ...CPU, id: "frames.tick.cpu", of: "tick", atMost: 0.25, title: "CPU per frame: tick beside immediate" },
	{ ...CPU, id: "frames.manual.cpu", of: "manual", atMost: null, title: "… manual beside immediate" },
	{
		...WRITES,
		id: "frames.immediate.writes",
		of: "immediate",
		atMost: null,
		title: `${WRITES_TITLE}: immediate`,
	},
	{ ...WRITES, id: "frames.tick.writes", of: "tick", atMost: WRITES_MAX, title: "… tick" },
	{ ...WRITES, id: "frames.manual.writes", of: "manual", atMost: null, title: "… manual" },
];

export const frames: LibraryRow = {
	id: "frames",
	claims,
	describe: (quick) =>
		`${(quick ? FRAMES_QUICK : FRAMES) / 2} frames of 64 bytes to another process after as many that warm up, 100 per turn; a fresh writer per policy`,

	async round({ quick }, number): Promise<Round> {
		const round: Record<string, Record<string, number>> = {};
		for (const policy of inOrder(POLICIES, number))
			round[policy] = await measure(policy, quick ? FRAMES_QUICK : FRAMES);
		return round;
	},
};

async function measure(policy: Policy, count: number): Promise<Record<string, number>> {
	const writer = new Helper<never, FramesNews>(new URL("frames-writer.js", import.meta.url), {
		args: [policy, String(count)],
	});
	let reader: Helper<never, never> | undefined;
	try {
		const ready = await writer.next();
		if (!("port" in ready)) throw new LoadError("the writer did not say where it listens");
		reader = new Helper<never, never>(new URL("frames-reader.js", import.meta.url), {
			args: [String(ready.port)],
		});
		const report = await writer.next();
		if ("port" in report) throw new LoadError("the writer did not report");
		const counted = count / 2;
		return { cpuUs: report.cpuUs / counted, writes: (report.writes * 1_000) / counted };
	} finally {
		await Promise.all([reader?.stop(), writer.stop()]);
	}
}
