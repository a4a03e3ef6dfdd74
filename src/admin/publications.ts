/** What is published by a request: its body as one message, or each line of it as one. */
import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { type HubDesk, type HubPublication, HubRefusal, type HubRefusalCode } from "../hub/desk.js";
import type { RequestBody } from "./bodies.js";

/** Several messages in one body: a JSON object a line. */
export const LINES_TYPE = "application/x-ndjson";
export const BYTES_TYPE = "application/octet-stream";
/** The last one is what curl says where it is told nothing. */
const TEXT_TYPES = /^(text\/[\w.+-]+|application\/([\w.-]+\+)?json|application\/x-www-form-urlencoded)$/;
const UTF8 = /^(utf-?8|us-ascii)$/;

/** A body may have so much more than a message: the hub itself says what is too large. */
const SLACK_BYTES = 1_024;
/** Several messages together may have so many bytes, however short one must be. */
export const LINES_BYTES = 65_536;

/** What each message is published with. */
export type Manner = Omit<HubPublication, "data">;

/** The body is none that can be published. */
export class PublicationError extends Error {
	override readonly name = "PublicationError";
	readonly status: 400 | 413 | 415 | 503;

	/** As the hub itself would say it. */
	get code(): HubRefusalCode | undefined {
		return this.status === 413 ? "too_large" : this.status === 503 ? undefined : "bad_message";
	}

	constructor(status: PublicationError["status"], message: string) {
		super(message);
		this.status = status;
	}
}

/** `undefined`: who would publish has gone. @throws PublicationError */
export async function publicationsOf(
	body: RequestBody | undefined,
	manner: Manner,
	{ messageBytesMax }: HubDesk,
): Promise<readonly HubPublication[] | undefined> {
	const type = typeOf(body?.type ?? "");
	const isLines = type === LINES_TYPE;
	const bytesMax = SLACK_BYTES + (isLines ? Math.max(messageBytesMax, LINES_BYTES) : messageBytesMax);
	const read = (await body?.read(bytesMax)) ?? Buffer.alloc(0);
	if (read === "gone") return undefined;
	if (read === "busy")
		throw new PublicationError(503, "too many are sending messages: send it again in a second");
	if (read === "too_large") throw new PublicationError(413, tooLarge(isLines, bytesMax, messageBytesMax));
	if (type === BYTES_TYPE) return [{ ...manner, data: read }];
	if (!isUtf8(read)) throw new PublicationError(400, `this is no UTF-8: send bytes as ${BYTES_TYPE}`);
	const text = read.toString("utf8");
	return isLines ? linesOf(text, manner) : [{ ...manner, data: text }];
}

function tooLarge(isLines: boolean, bytesMax: number, messageBytesMax: number): string {
	return isLines
		? `several messages at once may have ${bytesMax} bytes: send fewer`
		: `a message may have ${messageBytesMax} bytes (hub.limits.message)`;
}

/** In lower case, without its parameters. */
function typeOf(header: string): string {
	const [type = "", ...parameters] = header.toLowerCase().split(";");
	const name = type.trim() || "text/plain";
	const charset = parameters
		.map((parameter) => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(parameter)?.[1])
		.find((value) => value !== undefined);
	if (charset !== undefined && !UTF8.test(charset))
		throw new PublicationError(415, `text is UTF-8 here, and not ${charset}`);
	if (name === LINES_TYPE || name === BYTES_TYPE || TEXT_TYPES.test(name)) return name;
	throw new PublicationError(
		415,
		`${name} is neither text nor bytes: send text/plain, application/json, ${BYTES_TYPE}, or several messages as ${LINES_TYPE}`,
	);
}

const line = z.strictObject({
	data: z.string().optional(),
	base64: z.base64().optional(),
	key: z.string().optional(),
	priority: z.literal("low").optional(),
});

/** All of them are read before the first is published. */
function linesOf(text: string, manner: Manner): HubPublication[] {
	const lines = text.split("\n");
	if (lines.at(-1) === "") lines.pop();
	if (lines.length === 0) throw new PublicationError(400, "there is no message");
	return lines.map((written, index) => {
		const { data, base64, ...own } = objectOf(written, index + 1);
		if ((data === undefined) === (base64 === undefined))
			throw new PublicationError(400, `line ${index + 1}: expected either data or base64`);
		return { ...manner, ...own, data: data ?? Buffer.from(base64 ?? "", "base64") };
	});
}

function objectOf(written: string, number: number): z.infer<typeof line> {
	const wrong = (why: string) => new PublicationError(400, `line ${number}: ${why}`);
	let value: unknown;
	try {
		value = JSON.parse(written);
	} catch (error) {
		throw wrong((error as Error).message);
	}
	const { data, error } = line.safeParse(value);
	if (data !== undefined) return data;
	const [issue] = error?.issues ?? [];
	const at = issue?.path.join(".") ?? "";
	throw wrong(`${at === "" ? "" : `${at}: `}${issue?.message ?? "expected a message"}`);
}

/** Some were published before one was refused. */
export class PartlyPublished extends Error {
	override readonly name = "PartlyPublished";
	readonly refusal: HubRefusal;
	readonly published: number;

	constructor(refusal: HubRefusal, published: number) {
		super(`message ${published + 1}: ${refusal.message}`);
		this.refusal = refusal;
		this.published = published;
	}
}

/** Publishes them in order, until one is refused. @throws HubRefusal of the only one; PartlyPublished of several */
export function publishAll(desk: HubDesk, channel: string, publications: readonly HubPublication[]): string {
	let id = "";
	for (const [index, publication] of publications.entries())
		try {
			({ id } = desk.publish(channel, publication));
		} catch (error) {
			if (!(error instanceof HubRefusal) || publications.length === 1) throw error;
			throw new PartlyPublished(error, index);
		}
	return id;
}
