/** `sluice top`: the gateway's sessions, live in a terminal, until a key or Ctrl-C. */
import { setTimeout as wait } from "node:timers/promises";
import type { GatewayStatus } from "../../admin/operation-view.js";
import type { Listing } from "../../admin/session-view.js";
import { AdminClient } from "./client.js";
import { OperateError, type Where } from "./operate-error.js";
import { sessionTable } from "./sessions.js";
import { size } from "./table.js";

const EVERY_MS = 1_000;
/** Lines above the sessions. */
const HEAD_LINES = 4;

const CLEAR = "\x1b[H\x1b[2J";
const ALTERNATE_SCREEN = "\x1b[?1049h\x1b[?25l";
const USUAL_SCREEN = "\x1b[?25h\x1b[?1049l";

/** `count`: so many pictures, and an end; without it until somebody ends it. `write`: where they go. */
export async function top(
	options: Where & { readonly sort?: string; readonly count?: string },
	write: (text: string) => void,
): Promise<void> {
	const client = new AdminClient(options);
	const pictures = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
	if (!(pictures > 0)) throw new OperateError(`--count ${options.count}: expected a whole number`);
	const { stdin, stdout } = process;
	const isTerminal = stdout.isTTY === true && options.count === undefined;
	if (!isTerminal && options.count === undefined)
		throw new OperateError("top draws on a terminal; write --count 1 for one picture of it");
	let ended = false;
	const end = (): void => {
		ended = true;
	};
	process.once("SIGINT", end);
	if (isTerminal) {
		stdin.setRawMode?.(true);
		stdin.once("data", end).resume();
		write(ALTERNATE_SCREEN);
	}
	try {
		let before: Totals | undefined;
		for (let shown = 0; shown < pictures && !ended; shown++) {
			if (shown > 0) await wait(EVERY_MS);
			const [picture, totals] = await draw(
				client,
				options.sort ?? "bytes",
				isTerminal ? stdout.rows : 40,
				before,
			);
			before = totals;
			write(isTerminal ? CLEAR + picture : picture);
		}
	} finally {
		process.off("SIGINT", end);
		if (isTerminal) {
			write(USUAL_SCREEN);
			stdin.setRawMode?.(false);
			stdin.pause();
		}
	}
}

interface Totals {
	readonly atMs: number;
	readonly bytes: ReadonlyMap<number, number>;
}

async function draw(
	client: AdminClient,
	sort: string,
	rows: number,
	before: Totals | undefined,
): Promise<[string, Totals]> {
	const query = new URLSearchParams({ sort, limit: String(Math.max(1, rows - HEAD_LINES)) });
	const [status, listing] = await Promise.all([
		client.get<GatewayStatus>("/api/status"),
		client.get<Listing>("/api/sessions", query),
	]);
	const atMs = performance.now();
	const bytes = new Map(
		listing.sessions.map((each) => [each.id, each.bytes_from_client + each.bytes_to_client]),
	);
	const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1_000;
	const rate = (id: number): string => {
		const earlier = before?.bytes.get(id);
		return earlier === undefined ? "-" : `${size(Math.max(0, ((bytes.get(id) ?? 0) - earlier) / seconds))}/s`;
	};
	const { sessions, sessions_max: most, buffered_bytes: buffered, memory } = status;
	const head =
		`sluice ${status.version}  ${status.state}  ${new Date().toISOString()}\n` +
		`${sessions} of ${most} sessions, ${size(buffered)} buffered, ${memory.resident_bytes === null ? "?" : size(memory.resident_bytes)} resident; ` +
		`by ${sort}, a key ends\n\n`;
	return [head + sessionTable(listing.sessions, ({ id }) => ["RATE", rate(id)]), { atMs, bytes }];
}
