/**
 * Who looks at the dashboard: streams of events, each told the same bytes once a second.
 *
 *     a reading a second ──► one event ──► each viewer that has taken the one before
 *
 * A viewer that has not is told the next one instead, so that what waits for it is one event, however long it reads nothing; one that
 * takes nothing for ten seconds is closed, and its page comes back. With no viewer a reading is made now and then, so that the charts
 * of whoever comes next have a past.
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Broadcast, Message, Outbox } from "../../guard/outbox.js";
import { TokenWatch } from "../token-watch.js";
import type { AdminView } from "../view.js";
import type { FigurePoint, Figures } from "./figures.js";
import { readFigures } from "./read-figures.js";
import { TurnTimes } from "./turn-times.js";

const READ_MS = 1_000;
/** With nobody looking. */
const READ_SELDOM_MS = 10_000;
/** Five minutes of a page that is looked at, or most of an hour of one that was not. */
const POINTS_MAX = 300;
const WRITE_MS = 10_000;
/** The past, and one reading behind it. */
const OUTBOX_BYTES = 1_048_576;
const HEAD = "retry: 1000\n\n";

export class Viewers {
	readonly #view: AdminView;
	readonly #viewers = new Broadcast();
	readonly #outboxes = new Set<Outbox>();
	readonly #points: FigurePoint[] = [];
	readonly #turnTimes = new TurnTimes();
	#timer: NodeJS.Timeout | undefined;
	/** The last reading. */
	#newest: Figures | undefined;
	/** That, and the past before it, as events: viewers that come within one reading all get the same bytes. */
	#greeting: readonly string[] | undefined;
	readonly #tokens: TokenWatch;
	#isOver = false;

	constructor(view: AdminView) {
		this.#view = view;
		this.#tokens = new TokenWatch(() => view.adminTokens());
		this.#every(READ_SELDOM_MS);
	}

	get size(): number {
		return this.#outboxes.size;
	}

	/** Half of what is kept for the admin port, the log and dials may be theirs. */
	get most(): number {
		return Math.max(1, Math.floor(this.#view.descriptorsReserved() / 2));
	}

	get hasRoom(): boolean {
		return this.size < this.most;
	}

	/** Answers with the stream. Throws before anything is written. */
	begin(response: ServerResponse, headers: OutgoingHttpHeaders): void {
		const greeting = this.#greet();
		response.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8" });
		const outbox = new Outbox(response, {
			policy: "conflate",
			bytesMax: OUTBOX_BYTES,
			handedMax: 1,
			write: WRITE_MS,
		});
		// It has gone already.
		if (!this.#viewers.add(outbox)) return;
		this.#outboxes.add(outbox);
		outbox.onClose(() => {
			this.#outboxes.delete(outbox);
			if (this.#outboxes.size === 0) this.#every(READ_SELDOM_MS);
		});
		for (const event of greeting) outbox.send(event);
		if (this.size === 1) this.#every(READ_MS);
	}

	/** The gateway stops. */
	end(): void {
		this.#isOver = true;
		clearInterval(this.#timer);
		this.#timer = undefined;
		this.#closeAll();
	}

	#closeAll(): void {
		for (const outbox of [...this.#outboxes]) outbox.close();
	}

	/** The past, and the newest reading: a new one only where that is old, for rates over a few milliseconds would tell nothing. */
	#greet(): readonly string[] {
		this.#dismiss();
		const { point } = this.#newest ?? {};
		const ageMs = Date.now() - 1_000 * (point?.at ?? 0);
		// Below 0: the clock was set back.
		const newest = this.#newest === undefined || ageMs >= READ_MS || ageMs < 0 ? this.#read() : this.#newest;
		this.#greeting ??= [HEAD + eventOf("past", this.#points.slice(0, -1)), eventOf("figures", newest)];
		return this.#greeting;
	}

	#dismiss(): void {
		if (this.#tokens.take()) this.#closeAll();
	}

	#every(ms: number): void {
		clearInterval(this.#timer);
		if (this.#isOver) return;
		this.#timer = setInterval(() => this.#tick(), ms).unref();
	}

	#tick(): void {
		this.#dismiss();
		try {
			const figures = this.#read();
			if (this.size > 0) this.#viewers.send(new Message(eventOf("figures", figures), { key: "figures" }));
		} catch {
			// The kernel does not tell, or there is no descriptor to ask it with: the next reading may succeed.
		}
	}

	#read(): Figures {
		const figures = readFigures(this.#view, this.#turnTimes);
		this.#newest = figures;
		this.#points.push(figures.point);
		if (this.#points.length > POINTS_MAX) this.#points.shift();
		this.#greeting = undefined;
		return figures;
	}
}

/** JSON has no line ends. */
function eventOf(type: string, data: unknown): string {
	return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
