/** Asks the admin port of a gateway that runs. */
import { Agent, type IncomingMessage, request } from "node:http";
import { userInfo } from "node:os";
import type { Duplex } from "node:stream";
import { type AdminTarget, nameOf, targetOf } from "./admin-target.js";
import { connectAdmin } from "./connect-admin.js";
import { OperateError, type Where } from "./operate-error.js";

/** An answer that takes longer is none: the gateway's main thread is asked, and it looks within milliseconds. */
const ANSWER_MS = 10_000;
/** A connection that has been idle for longer is not used again: the admin port closes it after five seconds. */
const KEPT_MS = 2_500;

/** What is sent with a request. */
export interface Sent {
	readonly type: string;
	readonly bytes: string | Uint8Array;
}

interface Call {
	readonly method: "GET" | "POST" | "DELETE";
	readonly path: string;
	readonly sent?: Sent;
	/** Ends it, also while it is answered. */
	readonly signal: AbortSignal;
	/** Without one, the connection is closed behind the answer. */
	readonly agent?: Agent;
}

export class AdminClient {
	readonly #target: AdminTarget;
	readonly #token: string | undefined;
	#kept: Agent | undefined;
	#usedMs = 0;

	/** @throws OperateError */
	constructor(where: Where) {
		const { target, token } = targetOf(where);
		this.#target = target;
		this.#token = where.token ?? process.env["SLUICE_TOKEN"] ?? token ?? undefined;
	}

	/** @throws OperateError with the gateway's own words where it refuses */
	get<Value>(path: string, query: URLSearchParams = new URLSearchParams()): Promise<Value> {
		return this.#ask({ method: "GET", path: withQuery(path, query), signal: answerSoon() });
	}

	/** @throws OperateError with the gateway's own words where it refuses */
	post<Value>(path: string, query: URLSearchParams = new URLSearchParams()): Promise<Value> {
		return this.#ask({ method: "POST", path: withQuery(path, query), signal: answerSoon() });
	}

	/** @throws OperateError with the gateway's own words where it refuses */
	delete<Value>(path: string, query: URLSearchParams): Promise<Value> {
		return this.#ask({ method: "DELETE", path: withQuery(path, query), signal: answerSoon() });
	}

	/** The same as `post`, for one of many: they go over one connection. @throws OperateError */
	async send<Value>(path: string, query: URLSearchParams, sent: Sent): Promise<Value> {
		if (performance.now() - this.#usedMs > KEPT_MS) this.#kept?.destroy();
		this.#kept ??= new KeptConnection(this.#target);
		const agent = this.#kept;
		try {
			return await this.#ask({
				method: "POST",
				path: withQuery(path, query),
				sent,
				agent,
				signal: answerSoon(),
			});
		} finally {
			this.#usedMs = performance.now();
		}
	}

	/** An answer that goes on, until it ends or the signal does it. @throws OperateError */
	async open(path: string, query: URLSearchParams, signal: AbortSignal): Promise<IncomingMessage> {
		const late = new AbortController();
		const timer = setTimeout(() => late.abort(new Error("no answer")), ANSWER_MS);
		try {
			const both = AbortSignal.any([signal, late.signal]);
			const response = await this.#call({ method: "GET", path: withQuery(path, query), signal: both });
			if (response.statusCode !== 200) this.#valueOf(response.statusCode ?? 0, await textOf(response));
			return response;
		} finally {
			clearTimeout(timer);
		}
	}

	/** The answer as it is; `undefined`: it is not there (404). @throws OperateError */
	async getText(path: string): Promise<string | undefined> {
		const response = await this.#call({ method: "GET", path, signal: answerSoon() });
		const text = await this.#whole(response);
		if (response.statusCode === 404) return undefined;
		if (response.statusCode === 200) return text;
		throw new OperateError(`${this.#name} answered ${response.statusCode}: ${text.trim()}`);
	}

	async #ask<Value>(call: Call): Promise<Value> {
		const response = await this.#call(call);
		return this.#valueOf(response.statusCode ?? 0, await this.#whole(response)) as Value;
	}

	/** @throws OperateError where that is no value, but why there is none */
	#valueOf(status: number, text: string): unknown {
		let value: unknown;
		try {
			value = JSON.parse(text);
		} catch {
			throw new OperateError(
				`${this.#name} answered ${status}, and not as an admin port does: ${text.trim()}`,
			);
		}
		if (status === 200) return value;
		const { error, published } = value as { error?: string; published?: number };
		const how = status === 401 ? " (--token, SLUICE_TOKEN, or -c with the gateway's file)" : "";
		throw new OperateError(`${error ?? `${this.#name} answered ${status}`}${how}`, { status, published });
	}

	get #name(): string {
		return nameOf(this.#target);
	}

	async #whole(response: IncomingMessage): Promise<string> {
		try {
			return await textOf(response);
		} catch (error) {
			throw this.#failure(error as Error);
		}
	}

	/** Resolves with the head of the answer. */
	async #call({ method, path, sent, signal, agent }: Call): Promise<IncomingMessage> {
		const socket = agent === undefined ? await connectAdmin(this.#target, signal) : undefined;
		return new Promise((resolve, reject) => {
			const asked = request(
				{
					...{ ...authorityOf(this.#target), method, path, signal },
					...(socket === undefined ? { agent } : { createConnection: () => socket }),
					headers: {
						...(agent === undefined ? { connection: "close" } : {}),
						"sluice-operator": operatorName(),
						...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
						...(sent === undefined
							? {}
							: { "content-type": sent.type, "content-length": Buffer.byteLength(sent.bytes) }),
					},
				},
				resolve,
			);
			asked.on("error", (error) => reject(error instanceof OperateError ? error : this.#failure(error)));
			asked.end(sent?.bytes);
		});
	}

	#failure(error: Error): OperateError {
		return new OperateError(`cannot ask ${this.#name}: ${error.message}${this.#hint(error)}`);
	}

	/** A port that speaks TLS says nothing to who does not. */
	#hint(error: NodeJS.ErrnoException): string {
		const isOpen = this.#target.kind === "ip" && this.#target.tls === null;
		const isCut = error.code === "ECONNRESET" || error.code?.startsWith("HPE_") === true;
		return isOpen && isCut
			? "; if it speaks TLS, write --admin https://HOST:PORT"
			: "; does the gateway run, with this admin address?";
	}
}

/** One connection for one request after the other. */
class KeptConnection extends Agent {
	readonly #target: AdminTarget;

	constructor(target: AdminTarget) {
		super({ keepAlive: true, maxSockets: 1 });
		this.#target = target;
	}

	override createConnection(_: unknown, made?: (error: Error | null, socket: Duplex) => void): undefined {
		connectAdmin(this.#target, answerSoon()).then(
			(socket) => made?.(null, socket),
			// Node takes no socket where there is an error.
			(error: Error) => made?.(error, undefined as unknown as Duplex),
		);
		return undefined;
	}
}

function answerSoon(): AbortSignal {
	return AbortSignal.timeout(ANSWER_MS);
}

function withQuery(path: string, query: URLSearchParams): string {
	return query.size > 0 ? `${path}?${query}` : path;
}

function authorityOf(target: AdminTarget): { readonly host: string; readonly port: number } {
	return target.kind === "ip" ? { host: target.host, port: target.port } : { host: "localhost", port: 80 };
}

async function textOf(response: IncomingMessage): Promise<string> {
	let text = "";
	for await (const part of response.setEncoding("utf8")) text += part;
	return text;
}

/** Who asks, for the gateway's log. */
function operatorName(): string {
	try {
		return userInfo().username.replace(/[^\x21-\x7e]/g, "?");
	} catch {
		// No entry for this user.
		return String(process.getuid?.() ?? "unknown");
	}
}
