/**
 * How long the turns of a reactor's loop are while much is asked of it: nobody else is served within one. Sluice alone:
 * other systems do not say.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Helper } from "../../src/rig/helper.js";
import { temporaryDirectory } from "../../src/rig/processes.js";
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import type { TurnsNews, TurnsOrder } from "../turns/gateway.js";

const SESSIONS = 9_000;
const ROUTES = 50_000;
/** Sessions that are sent much and read nothing, until their memory is short. */
const STUCK = 400;
const BULK_BYTES = 1 << 20;
const AT_ONCE = 200;
/** Where the half comes from that an operator closes. */
const LEAVING = "127.0.0.2";
const REQUESTS = 20_000;
/** A round takes a quarter of a minute. */
const ROUNDS_MAX = 6;

/** First bytes that are of no protocol which is looked for. */
const ASK = "\x01ask";
const POUR = "\x02pour";

export const longestTurn: Row = {
	id: "longest-turn",
	describe: (quick) =>
		`Sluice alone, ${ROUNDS_MAX} rounds at most, one reactor; ${sessionsOf(quick)} sessions by a plan of ${ROUTES} routes, ${REQUESTS} requests over them, ` +
		`${STUCK} sessions that read nothing until limits.memory is reached, a reload of all routes, an operator's questions and the close of a half, and a drain; ` +
		"turns by CLOCK_THREAD_CPUTIME_ID of the reactor's thread",

	async run(bench: Bench): Promise<readonly Figure[]> {
		const longest = new Figure({
			...{ id: "longest-turn.cpu", title: "longest turn, its thread's CPU time", unit: "ms", digits: 2 },
			target: { kind: "value", atMost: 5 },
		});
		const above = new Figure({
			...{ id: "longest-turn.above", title: "… turns above 5 ms", unit: "", digits: 0 },
			target: { kind: "value", exactly: 0 },
		});
		const asked = new Figure({
			...{
				id: "longest-turn.asked",
				title: "slowest of an operator's questions and changes",
				unit: "ms",
				digits: 1,
			},
			target: { kind: "value", atMost: 100 },
		});
		const figures = [longest, above, asked];
		const turns = { warmUp: false, roundsMax: ROUNDS_MAX, onlySluice: "it does not say" } as const;
		await bench.alternate("longest-turn", figures, turns, async ({ dist }) => {
			if (dist === undefined) throw new Error("it does not say");
			const { turns, slowestMs } = await measure(dist, sessionsOf(bench.quick));
			return [turns.longestMs, turns.above, slowestMs];
		});
		return figures;
	},
};

function sessionsOf(quick: boolean): number {
	return quick ? 1_000 : SESSIONS;
}

interface Turns {
	readonly longestMs: number;
	/** Above 5 ms. */
	readonly above: number;
}

async function measure(
	dist: string,
	sessions: number,
): Promise<{ readonly turns: Turns; readonly slowestMs: number }> {
	const upstream = await startUpstream();
	const { port } = upstream.address() as { port: number };
	const config = (revision: number): string => {
		const file = join(temporaryDirectory(), `turns-${port}-${revision}.yaml`);
		writeFileSync(file, configOf(port, revision));
		return file;
	};
	const gateway = new Helper<TurnsOrder, TurnsNews>(new URL("../turns/gateway.js", import.meta.url), {
		args: [dist, config(0)],
		stderr: "ignore",
		answerMs: null,
	});
	const { listen, admin } = await gateway.answer((news) => news.news === "ready");
	const clients: Socket[] = [];
	try {
		for (let open = 0; open < sessions - STUCK; open += AT_ONCE)
			await openSome(listen, clients, ASK, AT_ONCE, open % (2 * AT_ONCE) === 0 ? undefined : LEAVING);
		for (let asked = 0; asked < REQUESTS; asked += AT_ONCE)
			await Promise.all(
				Array.from({ length: AT_ONCE }, (_, i) => ask(clients[(asked + i) % clients.length])),
			);
		// They fill the kernel's buffers, and are closed for that, some at a time.
		await openSome(listen, clients, POUR, STUCK, undefined);
		await sleep(5_000);
		gateway.order({ do: "reload", file: config(1) });
		await gateway.answer((news) => news.news === "reloaded");
		const slowestMs = await operate(admin);
		const turns = await readTurns(admin);
		// The longest of a drain counts as well, as far as it is there to be asked.
		gateway.order({ do: "drain" });
		let last = turns;
		for (let asks = 0; asks < 10; asks++) last = await readTurns(admin).catch(() => last);
		for (const client of clients) client.destroy();
		await gateway.answer((news) => news.news === "drained");
		return { turns: last, slowestMs };
	} finally {
		for (const client of clients) client.destroy();
		upstream.close();
		await gateway.stop();
	}
}

function configOf(port: number, revision: number): string {
	const routes = Array.from(
		{ length: ROUTES },
		(_, i) => `      - { sni: name-${i}-${revision}.bench.test, to: up }\n`,
	).join("");
	return `
admin: 127.0.0.1:0
reactors: 1
limits: { memory: 48MiB }
log: { sessions: false }
timeouts: { drain: 2s }
listeners:
  - listen: 127.0.0.1:0
    backlog: 4096
    routes:
${routes}      - { to: up }
upstreams: { up: "127.0.0.1:${port}" }
`;
}

async function startUpstream(): Promise<Server> {
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.on("data", (bytes) => {
			socket.write(bytes.toString("latin1").startsWith(POUR) ? Buffer.alloc(BULK_BYTES) : "answer");
		});
	});
	server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 });
	await once(server, "listening");
	return server;
}

/** What an operator asks while all these live, and a half of them closed. Returns how long the slowest answer took, in milliseconds. */
async function operate(admin: number): Promise<number> {
	let slowestMs = 0;
	for (const [method, path] of [
		["GET", "sessions?sort=bytes&limit=100"],
		["GET", "sessions?sort=idle&limit=100&min_age=1s"],
		["GET", `sessions?source=${LEAVING}&protocol=other`],
		["GET", "sessions?limit=10000"],
		["GET", "sources"],
		["GET", "status"],
		["POST", `sessions/close?source=${LEAVING}`],
	] as const) {
		const beganMs = performance.now();
		const answer = await fetch(`http://127.0.0.1:${admin}/api/${path}`, {
			...{ method, headers: { "sluice-operator": "bench" } },
		});
		await answer.text();
		// An older checkout has no such questions.
		if (answer.status !== 200) return Number.NaN;
		slowestMs = Math.max(slowestMs, performance.now() - beganMs);
	}
	// Those that are being closed end over turns.
	await sleep(1_000);
	return slowestMs;
}

async function openSome(
	port: number,
	clients: Socket[],
	first: string,
	count: number,
	localAddress: string | undefined,
): Promise<void> {
	await Promise.all(
		Array.from({ length: count }, async () => {
			// Without an address of its own, the kernel takes ports again that closed connections to elsewhere still hold.
			const socket = connect({ port, host: "127.0.0.1", ...(localAddress && { localAddress }) });
			socket.on("error", () => {});
			await once(socket, "connect");
			clients.push(socket);
			if (first === POUR) socket.write(first);
			else await ask(socket);
		}),
	);
}

/** One request and its answer; a client that was closed has none. */
async function ask(socket: Socket | undefined): Promise<void> {
	if (socket === undefined || socket.destroyed) return;
	const answered = new Promise<void>((resolve) => {
		const end = (): void => {
			socket.off("data", end).off("close", end);
			resolve();
		};
		socket.on("data", end).on("close", end);
	});
	socket.write(ASK);
	await answered;
}

async function readTurns(admin: number): Promise<Turns> {
	const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
	const figure = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
	const all = figure(/^sluice_turn_seconds_count (\S+)$/m);
	const within = figure(/^sluice_turn_seconds_bucket\{le="0\.005"\} (\S+)$/m);
	return { longestMs: figure(/^sluice_turn_longest_seconds (\S+)$/m) * 1_000, above: all - within };
}
