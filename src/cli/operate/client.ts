/** Asks the admin port of a gateway that runs. */
import { request } from "node:http";
import { userInfo } from "node:os";
import { type AdminTarget, nameOf, targetOf } from "./admin-target.js";
import { connectAdmin } from "./connect-admin.js";
import { OperateError, type Where } from "./operate-error.js";

/** An answer that takes longer is none: the gateway's main thread is asked, and it looks within milliseconds. */
const ANSWER_MS = 10_000;

export class AdminClient {
	readonly #target: AdminTarget;
	readonly #token: string | undefined;

	/** @throws OperateError */
	constructor(where: Where) {
		const { target, token } = targetOf(where);
		this.#target = target;
		this.#token = where.token ?? process.env["SLUICE_TOKEN"] ?? token ?? undefined;
	}

	/** @throws OperateError with the gateway's own words where it refuses */
	get<Value>(path: string, query: URLSearchParams = new URLSearchParams()): Promise<Value> {
		return this.#ask("GET", path, query);
	}

	/** @throws OperateError with the gateway's own words where it refuses */
	post<Value>(path: string, query: URLSearchParams = new URLSearchParams()): Promise<Value> {
		return this.#ask("POST", path, query);
	}

	/** The answer as it is; `undefined`: it is not there (404). @throws OperateError */
	async getText(path: string): Promise<string | undefined> {
		const { status, text } = await this.#exchange("GET", path);
		if (status === 404) return undefined;
		if (status === 200) return text;
		throw new OperateError(`${this.#name} answered ${status}: ${text.trim()}`);
	}

	async #ask<Value>(method: string, path: string, query: URLSearchParams): Promise<Value> {
		const { status, text } = await this.#exchange(method, `${path}${query.size > 0 ? `?${query}` : ""}`);
		let value: unknown;
		try {
			value = JSON.parse(text);
		} catch {
			throw new OperateError(
				`${this.#name} answered ${status}, and not as an admin port does: ${text.trim()}`,
			);
		}
		if (status === 200) return value as Value;
		throw new OperateError((value as { error?: string }).error ?? `${this.#name} answered ${status}`);
	}

	get #name(): string {
		return nameOf(this.#target);
	}

	async #exchange(method: string, path: string): Promise<{ status: number; text: string }> {
		const signal = AbortSignal.timeout(ANSWER_MS);
		const socket = await connectAdmin(this.#target, signal);
		const { host, port } = this.#target.kind === "ip" ? this.#target : { host: "localhost", port: 80 };
		return new Promise((resolve, reject) => {
			const fail = (error: Error): void =>
				reject(new OperateError(`cannot ask ${this.#name}: ${error.message}${this.#hint(error)}`));
			const asked = request(
				{
					...{ host, port, method, path, createConnection: () => socket },
					headers: {
						connection: "close",
						"sluice-operator": operatorName(),
						...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
					},
					signal,
				},
				(response) => {
					response.setEncoding("utf8");
					let text = "";
					response.on("data", (part: string) => {
						text += part;
					});
					response.on("error", fail);
					response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
				},
			);
			asked.on("error", fail);
			asked.end();
		});
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

/** Who asks, for the gateway's log. */
function operatorName(): string {
	try {
		return userInfo().username.replace(/[^\x21-\x7e]/g, "?");
	} catch {
		// No entry for this user.
		return String(process.getuid?.() ?? "unknown");
	}
}
