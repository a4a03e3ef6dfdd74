import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { versionOf } from "../../systems/version.js";
import { CHANNEL, withVariants } from "../system.js";

const PROGRAM = "centrifugo";
const KEY = "bench";

export const centrifugoServers = withVariants(
	{
		id: "centrifugo",
		note: "JSON, no history, pings and a write deadline after an hour, its other defaults; threads as Go chooses",
		install: "go install github.com/centrifugal/centrifugo/v6@v6.9.1, and $(go env GOPATH)/bin on the PATH",
		version,
		cannot: { "idle-tls": "its one port for clients is in the open here" },
		isJudged: false,

		prepare({ listen, directory }) {
			const file = join(directory, "centrifugo.json");
			writeFileSync(file, JSON.stringify(configure(listen.plain)));
			return { command: PROGRAM, args: ["-c", file] };
		},

		doors({ listen }) {
			const { plain: port } = listen;
			const says = `{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"${CHANNEL}"}}`;
			const fields = { "X-API-Key": KEY, "Content-Type": "application/json" };
			const around = { before: `{"channel":"${CHANNEL}","data":"`, after: '"}' };
			return {
				plain: { port, path: "/connection/websocket", says, confirms: '"id":2,"subscribe":' },
				tls: null,
				publish: { port, path: "/api/publish", fields, ...around },
			};
		},
	},
	["deaf"],
);

function configure(port: number): object {
	return {
		http_server: { address: "127.0.0.1", port: String(port) },
		http_api: { key: KEY },
		client: { insecure: true, allowed_origins: ["*"], ping_interval: "1h" },
		websocket: { write_timeout: "1h" },
		channel: {
			without_namespace: { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true },
		},
		log: { level: "error" },
	};
}

/** What `go install` builds does not know its own version; Go has written it into the program. */
function version(): string | null {
	const own = versionOf(PROGRAM, ["version"], /v(\d\S+)/);
	if (own !== "0.0.0") return own;
	const directories = process.env["PATH"]?.split(delimiter) ?? [];
	const path = directories.map((each) => join(each, PROGRAM)).find((each) => existsSync(each)) ?? "";
	return versionOf("go", ["version", "-m", path], /^\s+mod\s+\S+\s+v(\S+)/m) ?? own;
}
