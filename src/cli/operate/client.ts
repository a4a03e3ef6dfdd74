/** Asks the admin port of a gateway that runs. */
import { request } from "node:http";
import { userInfo } from "node:os";
import { parseAdmin } from "../../config/address.js";
import { ConfigError, InvalidValue } from "../../config/errors.js";
import { loadConfigFile } from "../../config/load.js";

/** The command line cannot be followed, or the gateway not be asked; the message says what to do. */
export class OperateError extends Error {
	override readonly name = "OperateError";
}

/** How every operator's command is told where to ask, and how to answer. */
export interface Where {
	readonly config?: string;
	readonly admin?: string;
	readonly token?: string;
	readonly json?: boolean;
}

/** An answer that takes longer is none: the gateway's main thread is asked, and it looks within milliseconds. */
const ANSWER_MS = 10_000;

/** Where to ask a port that is bound to every address. */
const ANYWHERE = new Map([
	["0.0.0.0", "127.0.0.1"],
	["::", "::1"],
]);

export class AdminClient {
	readonly #host: string;
	readonly #port: number;
	readonly #token: string | undefined;

	/** @throws OperateError */
	constructor({ config, admin, token = process.env["SLUICE_TOKEN"] }: Where) {
		const { host, port, token: configured = null } = admin === undefined ? ofConfig(config) : ofText(admin);
		this.#host = ANYWHERE.get(host) ?? host;
		this.#port = port;
		this.#token = token ?? configured ?? undefined;
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
		return `${this.#host}:${this.#port}`;
	}

	#exchange(method: string, path: string): Promise<{ status: number; text: string }> {
		return new Promise((resolve, reject) => {
			const fail = (error: Error): void =>
				reject(
					new OperateError(
						`cannot ask ${this.#name}: ${error.message}; does the gateway run, with this admin address?`,
					),
				);
			const asked = request(
				{
					...{ host: this.#host, port: this.#port, method, path, agent: false },
					headers: {
						"sluice-operator": operatorName(),
						...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
					},
					signal: AbortSignal.timeout(ANSWER_MS),
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
}

interface Target {
	readonly host: string;
	readonly port: number;
	/** As the configuration has it. */
	readonly token?: string | null;
}

function ofText(text: string): Target {
	try {
		return parseAdmin(text);
	} catch (error) {
		if (error instanceof InvalidValue) throw new OperateError(`--admin: ${error.message}`);
		throw error;
	}
}

function ofConfig(file: string | undefined): Target {
	if (file === undefined)
		throw new OperateError("say where the gateway is: -c sluice.yaml, or --admin 127.0.0.1:9090");
	try {
		const { admin, adminTokens } = loadConfigFile(file);
		if (admin !== null) return { ...admin, token: adminTokens.full ?? adminTokens.read };
	} catch (error) {
		if (error instanceof ConfigError) throw new OperateError(`${error.message}\n(or say --admin HOST:PORT)`);
		throw error;
	}
	throw new OperateError(`${file} has no admin port: add admin: 127.0.0.1:9090, and start the gateway anew`);
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
