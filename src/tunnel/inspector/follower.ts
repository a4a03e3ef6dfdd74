/**
 * Follows the requests and answers of one line as they pass. It is shown what has been sent on already, changes nothing, and keeps
 * what `Exchanges` has room for.
 *
 *     visitor:  head ─► content ─┬─► head …
 *                                └─► undecided ─┬─► head …     (the upgrade was refused)
 *                                               └─► upgraded
 *     service:  head ─► content ─► head …, or upgraded
 *
 * Where one side is not what it should be, it is lost for good, and what passes goes on unseen.
 */
import type { Reason } from "../../parts/reasons.js";
import type { FieldSection } from "../../protocol/http/field-section.js";
import { METHOD_CONNECT } from "../../protocol/http/methods.js";
import { parseRequest, RequestHead } from "../../protocol/http/request.js";
import { parseResponse, ResponseHead } from "../../protocol/http/response.js";
import type { Onlooker } from "../agent/onlooker.js";
import { ContentReader } from "./content-reader.js";
import type { Exchange } from "./exchange.js";
import type { Exchanges } from "./exchanges.js";
import { fieldsIn, listOf } from "./fields.js";
import { HeadReader, LostTrack, type ParseHead } from "./head-reader.js";
import { Kept } from "./kept.js";

/** Requests that wait for their answers. A gateway sends one after the other. */
const WAITING_MAX = 64;

/** What a visitor sends ahead of the answer to its upgrade. */
const AHEAD_MAX_BYTES = 16_384;

type VisitorPhase = "head" | "content" | "undecided" | "upgraded" | "lost";
type ServicePhase = "head" | "content" | "upgraded" | "lost";

/** What was read last. All is taken from it before the next is read. */
const request = new RequestHead();
const response = new ResponseHead();

const readRequest: ParseHead = (bytes, start, end) => parseRequest(bytes, start, end, request);

export class Follower implements Onlooker {
	readonly #exchanges: Exchanges;
	readonly #tunnel: string;
	readonly #replayOf: number | undefined;
	readonly #requestHead: HeadReader;
	readonly #responseHead: HeadReader;
	readonly #requestContent = new ContentReader("the request");
	readonly #responseContent = new ContentReader("the answer");
	#visitor: VisitorPhase = "head";
	#service: ServicePhase = "head";
	/** Of the request at hand. */
	#beganAt = performance.now();
	/** Of the answer at hand, within its exchange. */
	#firstByteMs = 0;
	/** Whose request came last. */
	#asked: Exchange | undefined;
	/** Those without a whole answer, in the order of their requests. */
	readonly #waiting: Exchange[] = [];
	/** What came behind a request for an upgrade, before its answer. */
	#ahead: Kept | undefined;
	/** What is said in the service's place. */
	#standIn: { readonly why: string; readonly answer: Buffer } | undefined;

	/** `replayOf`: the exchange whose request is sent again. */
	constructor(exchanges: Exchanges, tunnel: string, replayOf?: number) {
		this.#exchanges = exchanges;
		this.#tunnel = tunnel;
		this.#replayOf = replayOf;
		this.#requestHead = new HeadReader(exchanges, "the request");
		this.#responseHead = new HeadReader(exchanges, "the answer");
	}

	/** The exchange of the newest request. */
	get asked(): Exchange | undefined {
		return this.#asked;
	}

	fromVisitor(bytes: Buffer): void {
		try {
			this.#takeRequests(bytes);
		} catch (error) {
			if (error instanceof LostTrack) this.#loseRequests(error.message);
			else this.#loseAll(faultOf(error));
		}
	}

	toVisitor(bytes: Buffer): void {
		try {
			this.#takeAnswers(bytes);
		} catch (error) {
			this.#loseAll(error instanceof LostTrack ? error.message : faultOf(error));
		}
	}

	#takeRequests(bytes: Buffer): void {
		let position = 0;
		while (position < bytes.length) {
			switch (this.#visitor) {
				case "head":
					position += this.#takeRequestHead(bytes, position);
					break;
				case "content":
					position = this.#takeRequestContent(bytes, position);
					break;
				case "undecided":
					this.#ahead ??= new Kept(this.#exchanges, AHEAD_MAX_BYTES);
					this.#ahead.append(bytes, position, bytes.length);
					return;
				case "upgraded":
					this.#countUpgraded(bytes.length - position, 0);
					return;
				case "lost":
					return;
			}
		}
	}

	#takeRequestHead(bytes: Buffer, start: number): number {
		if (!this.#requestHead.hasBegun) this.#beganAt = performance.now();
		return this.#requestHead.take(bytes, start, readRequest, request, (head) => this.#beginExchange(head));
	}

	#beginExchange(head: Buffer): void {
		if (this.#waiting.length >= WAITING_MAX) throw new LostTrack("too many requests wait for their answers");
		const exchange = this.#exchanges.begin(this.#tunnel, this.#beganAt, this.#replayOf);
		this.#asked = exchange;
		this.#waiting.push(exchange);
		const { fields } = request;
		exchange.method = head.toString("latin1", request.methodStart, request.methodEnd);
		exchange.methodNumber = request.method;
		exchange.target = head.toString("latin1", request.targetStart, request.targetEnd);
		exchange.host = hostIn(head, fields);
		exchange.wantsUpgrade = request.wantsUpgrade;
		exchange.request.begin(head);
		this.#requestContent.begin(request.framing, request.contentLength);
		this.#visitor = "content";
		exchange.changed();
		if (this.#requestContent.isOver) this.#endRequest(exchange);
		this.#answerInPlace();
	}

	#takeRequestContent(bytes: Buffer, start: number): number {
		const exchange = this.#asked as Exchange;
		const end = this.#requestContent.take(bytes, start, exchange.request);
		exchange.changed();
		if (this.#requestContent.isOver) this.#endRequest(exchange);
		return end;
	}

	#endRequest(exchange: Exchange): void {
		exchange.request.isOver = true;
		this.#visitor = exchange.wantsUpgrade && !exchange.response.hasHead ? "undecided" : "head";
		if (exchange.response.isOver) exchange.end("done");
	}

	#takeAnswers(bytes: Buffer): void {
		let position = 0;
		while (position < bytes.length) {
			switch (this.#service) {
				case "head":
					position += this.#takeAnswerHead(bytes, position);
					break;
				case "content":
					position = this.#takeAnswerContent(bytes, position);
					break;
				case "upgraded":
					this.#countUpgraded(0, bytes.length - position);
					return;
				case "lost":
					return;
			}
		}
	}

	#takeAnswerHead(bytes: Buffer, start: number): number {
		const [exchange] = this.#waiting;
		if (exchange === undefined) {
			// What came last of requests may be long ago.
			if (!this.#requestHead.hasBegun) this.#beganAt = performance.now();
			throw new LostTrack("the service has answered before it was asked");
		}
		if (exchange.state === "lost") throw new LostTrack(exchange.why ?? "");
		if (!this.#responseHead.hasBegun) this.#firstByteMs = exchange.ageMs;
		const parse: ParseHead = (head, from, to) =>
			parseResponse(head, from, to, exchange.methodNumber, response);
		return this.#responseHead.take(bytes, start, parse, response, (head) => this.#takeStatus(exchange, head));
	}

	#takeStatus(exchange: Exchange, head: Buffer): void {
		if (response.isInterim) {
			exchange.noteInterim(response.statusCode);
			return;
		}
		exchange.status = response.statusCode;
		exchange.reason = head.toString("latin1", response.reasonStart, response.reasonEnd);
		exchange.firstByteMs = this.#firstByteMs;
		exchange.response.begin(head);
		exchange.changed();
		if (response.isUpgrade) {
			this.#upgrade(exchange, listOf(fieldsIn(head, response.fields), "upgrade").toLowerCase());
			return;
		}
		if (exchange.methodNumber === METHOD_CONNECT && response.statusCode < 300)
			throw new LostTrack("a tunnel by CONNECT is not followed");
		this.#responseContent.begin(response.framing, response.contentLength);
		this.#service = "content";
		if (this.#responseContent.isOver) this.#endAnswer(exchange);
		if (exchange === this.#asked && this.#visitor === "undecided") this.#refuseUpgrade();
	}

	#takeAnswerContent(bytes: Buffer, start: number): number {
		const [exchange] = this.#waiting as [Exchange];
		const end = this.#responseContent.take(bytes, start, exchange.response);
		exchange.changed();
		if (this.#responseContent.isOver) this.#endAnswer(exchange);
		return end;
	}

	#endAnswer(exchange: Exchange): void {
		exchange.response.isOver = true;
		this.#waiting.shift();
		this.#service = "head";
		if (exchange.request.isOver) exchange.end("done");
		else exchange.changed();
	}

	#upgrade(exchange: Exchange, protocol: string): void {
		if (exchange !== this.#asked || this.#visitor !== "undecided")
			throw new LostTrack("the service changes to another protocol, and nobody has asked it to");
		exchange.upgrade = { protocol, bytesFromVisitor: 0, bytesToVisitor: 0 };
		exchange.state = "upgraded";
		exchange.response.isOver = true;
		this.#visitor = "upgraded";
		this.#service = "upgraded";
		this.#countUpgraded(this.#ahead?.total ?? 0, 0);
		this.#ahead?.forget();
	}

	/** What came behind the request is the next one. */
	#refuseUpgrade(): void {
		this.#visitor = "head";
		const ahead = this.#ahead;
		if (ahead === undefined) return;
		this.#ahead = undefined;
		const bytes = Buffer.from(ahead.bytes);
		const { isWhole } = ahead;
		ahead.forget();
		if (isWhole) this.fromVisitor(bytes);
		else this.#loseRequests("too much came ahead of the answer to an upgrade");
	}

	#countUpgraded(fromVisitor: number, toVisitor: number): void {
		const exchange = this.#asked as Exchange;
		if (exchange.upgrade === undefined) return;
		exchange.upgrade.bytesFromVisitor += fromVisitor;
		exchange.upgrade.bytesToVisitor += toVisitor;
		exchange.changed();
	}

	serviceEnded(): void {
		const [exchange] = this.#waiting;
		if (this.#service !== "content" || exchange === undefined) return;
		if (!this.#responseContent.endsWithConnection) return;
		this.#responseContent.end();
		this.#endAnswer(exchange);
	}

	unreachable(why: string, answer: Buffer): void {
		this.#standIn = { why, answer };
		this.#answerInPlace();
	}

	/** When there is a request that can be answered. */
	#answerInPlace(): void {
		const [exchange] = this.#waiting;
		if (this.#standIn === undefined || exchange === undefined) return;
		const { why, answer } = this.#standIn;
		this.#standIn = undefined;
		exchange.why = why;
		this.toVisitor(answer);
	}

	ended(reason: Reason): void {
		const asked = this.#asked;
		for (const exchange of this.#waiting) if (exchange !== asked) exchange.end("aborted", reason);
		if (asked !== undefined) asked.end(isWholeAnswer(asked, reason) ? "done" : "aborted", reason);
		this.#forget();
	}

	/** Requests before it may still be answered. */
	#loseRequests(why: string): void {
		if (this.#visitor === "content") this.#asked?.end("lost", why);
		else this.#waiting.push(this.#unread(why));
		this.#visitor = "lost";
		this.#requestHead.forget();
	}

	#loseAll(why: string): void {
		if (this.#service === "lost") return;
		// Of requests that are lost it was told.
		if (this.#waiting.length === 0 && this.#visitor !== "lost") this.#unread(why);
		for (const exchange of this.#waiting) exchange.end("lost", why);
		this.#forget();
	}

	/** Stands for what could not be read, so that it is told. */
	#unread(why: string): Exchange {
		const exchange = this.#exchanges.begin(this.#tunnel, this.#beganAt, this.#replayOf);
		exchange.end("lost", why);
		return exchange;
	}

	#forget(): void {
		this.#visitor = "lost";
		this.#service = "lost";
		this.#waiting.length = 0;
		this.#requestHead.forget();
		this.#responseHead.forget();
		this.#ahead?.forget();
		this.#ahead = undefined;
	}
}

/** An upgraded connection has no other end than that of its line. */
function isWholeAnswer({ response, upgrade }: Exchange, reason: Reason): boolean {
	return (
		response.isOver && (upgrade === undefined || reason === "client_closed" || reason === "upstream_closed")
	);
}

/** Empty: there is none. */
function hostIn(head: Buffer, { hostIndex, spans }: FieldSection): string {
	if (hostIndex < 0) return "";
	return head.toString("latin1", spans[hostIndex * 4 + 2], spans[hostIndex * 4 + 3]);
}

function faultOf(error: unknown): string {
	return `a fault of the inspector: ${(error as Error).message}`;
}
