/** Asks the API of the admin port, with the token that was shown to the page; and follows its figures. */

const TOKEN = "sluice-token";
const OPERATOR = "sluice-operator";

/** What the API says when it does not do what it was asked. */
export class ApiError extends Error {
	readonly status: number;

	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

export type Query = Readonly<Record<string, string>>;

/** Kept as long as the tab is open, and by no other page. */
export function showToken(token: string): void {
	if (token === "") sessionStorage.removeItem(TOKEN);
	else sessionStorage.setItem(TOKEN, token);
}

export function hasToken(): boolean {
	return sessionStorage.getItem(TOKEN) !== null;
}

/** Who is said to have asked for a change. */
export function operatorName(): string {
	return localStorage.getItem(OPERATOR) ?? "dashboard";
}

export function nameOperator(name: string): void {
	localStorage.setItem(OPERATOR, name.trim() || "dashboard");
}

/** Questions of `/api/debug` want the name as well. */
function headersOf(): Record<string, string> {
	const token = sessionStorage.getItem(TOKEN);
	return {
		...(token === null ? {} : { authorization: `Bearer ${plain(token)}` }),
		"sluice-operator": plain(operatorName()),
	};
}

/** Fields of a request carry no other letters: %D0%97 for З. */
function plain(text: string): string {
	return text.replace(/\p{Surrogate}/gu, "?").replace(/[^\x20-\x7e]/gu, encodeURIComponent);
}

export function addressOf(path: string, query: Query = {}): string {
	const there = Object.entries(query).filter(([, value]) => value !== "");
	return there.length === 0 ? path : `${path}?${new URLSearchParams(there)}`;
}

export async function ask<T>(path: string, query: Query = {}): Promise<T> {
	return (await answerOf("GET", addressOf(path, query))) as T;
}

/** `method`: POST or DELETE. */
export async function change<T>(method: string, path: string, query: Query = {}, body?: string): Promise<T> {
	return (await answerOf(method, addressOf(path, query), body)) as T;
}

async function answerOf(method: string, address: string, body?: string): Promise<unknown> {
	const { status, text } = await fetched(address, {
		...{ method, cache: "no-store" as const, headers: headersOf() },
		...(body === undefined ? {} : { body }),
		// A change may be done, or not: whoever asked for it waits.
		...(method === "GET" ? { signal: AbortSignal.timeout(ANSWER_MS) } : {}),
	});
	if (status < 300) return JSON.parse(text);
	throw new ApiError(status, errorIn(text));
}

async function fetched(address: string, init: RequestInit): Promise<{ status: number; text: string }> {
	try {
		const response = await fetch(address, init);
		return { status: response.status, text: await response.text() };
	} catch {
		throw new ApiError(0, SILENT);
	}
}

function errorIn(text: string): string {
	try {
		return (JSON.parse(text) as { error: string }).error;
	} catch {
		return text.trim();
	}
}

export interface StreamEvents {
	/** The data of an event, by its type. */
	heard(type: string, data: unknown): void;
	/** It is open, or why it is not. */
	said(problem: ApiError | undefined): void;
}

const AGAIN_MS = 1_000;
/** A stream says something once a second; one that has been silent for so long may be cut where nobody noticed. */
const SILENT_MS = 10_000;
const ANSWER_MS = 30_000;
const SILENT = "the gateway does not answer";

/** Follows a stream until `signal`; comes back when it ends. EventSource cannot show a token. */
export async function follow(address: string, events: StreamEvents, signal: AbortSignal): Promise<void> {
	while (!signal.aborted) {
		try {
			await readStream(address, events, signal);
		} catch (error) {
			if (signal.aborted) return;
			events.said(error instanceof ApiError ? error : new ApiError(0, SILENT));
		}
		await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
	}
}

async function readStream(address: string, events: StreamEvents, end: AbortSignal): Promise<void> {
	const silence = new AbortController();
	let late = setTimeout(() => silence.abort(), SILENT_MS);
	const heard = (): void => {
		clearTimeout(late);
		late = setTimeout(() => silence.abort(), SILENT_MS);
	};
	try {
		await readWhile(AbortSignal.any([end, silence.signal]), address, events, heard);
	} finally {
		clearTimeout(late);
	}
}

async function readWhile(
	signal: AbortSignal,
	address: string,
	events: StreamEvents,
	came: () => void,
): Promise<void> {
	const response = await fetch(address, { cache: "no-store", headers: headersOf(), signal });
	if (!response.ok || response.body === null)
		throw new ApiError(response.status, errorIn(await response.text()));
	events.said(undefined);
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let waiting = "";
	for (let next = await reader.read(); !next.done; next = await reader.read()) {
		came();
		const parts = (waiting + next.value).split("\n\n");
		waiting = parts.pop() ?? "";
		for (const part of parts) hear(part, events);
	}
	throw new ApiError(0, "the gateway has ended the stream");
}

function hear(event: string, events: StreamEvents): void {
	const fields = new Map(
		event.split("\n").map((line): [string, string] => {
			const colon = line.indexOf(": ");
			return [line.slice(0, colon), line.slice(colon + 2)];
		}),
	);
	const data = fields.get("data");
	if (data !== undefined) events.heard(fields.get("event") ?? "message", JSON.parse(data));
}
