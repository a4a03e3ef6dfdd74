/** The admin port of a configuration, for whoever asks the gateway that runs by it. */
import { dirname, resolve } from "node:path";
import { stringify } from "yaml";
import type { Config } from "./config.js";
import { ConfigError } from "./errors.js";
import { loadConfigText, readConfigFile } from "./load.js";
import { mapping } from "./plain.js";
import { readSource } from "./source.js";

/** What stands beside the keys that are asked for, so that it is a configuration. */
const REST = { listeners: [{ listen: "127.0.0.1:0", routes: [{ to: "reject" }] }], upstreams: {} };

/**
 * Where a gateway is asked that runs by this file, and by which tokens. The file may have problems elsewhere: it may have been changed since
 * the gateway read it, and that is when operators ask.
 *
 * @throws ConfigFileError when the file cannot be read
 * @throws ConfigError when its `admin` cannot be understood
 */
export function loadAdmin(path: string): Pick<Config, "admin" | "adminTokens"> {
	const text = readConfigFile(path, true);
	try {
		return loadConfigText(text, { file: path });
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		const { admin, admin_tokens: tokens } = mapping(
			readSource(text, path, { env: process.env, baseDir: dirname(resolve(path)) }).value,
		);
		if (admin === undefined) throw error;
		const alone = { admin, ...(tokens === undefined ? {} : { admin_tokens: tokens }), ...REST };
		try {
			// Its references are filled; what looks like one now is none.
			return loadConfigText(stringify(alone), { file: path, env: {} });
		} catch {
			throw error;
		}
	}
}
