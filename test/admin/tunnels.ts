/** What a gateway has of tunnels, as a test wants it. */
import type { TunnelsView } from "../../src/tunnel/gateway/interfaces.js";

export const TUNNELS: TunnelsView = {
	agents: [
		{
			...{ id: "laptop", epoch: 1_700_000_000_000, address: "192.0.2.7", agent: "sluice/1" },
			...{ sinceMs: 1_700_000_000_000, rttMs: 12.345 },
		},
	],
	loggingIn: 2,
	tunnels: [
		{
			...{ number: 1, slot: 0, identity: "laptop", epoch: 1_700_000_000_000, kind: "http", name: "app" },
			...{ host: "app.example.com", port: null, plain: false, connections: 5, bytesPerSecond: null },
			allow: [{ family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 }],
			...{
				addresses: ["https://app.example.com"],
				state: "up",
				localDown: null,
				basicAuth: [[{ user: "alice", hash: "" }]],
			},
			lines: { depth: 8, asked: 1, proving: 2, parked: 5, used: 3, retiring: 1, failed: 4 },
		},
		{
			...{ number: 2, slot: 1, identity: "laptop", epoch: 1_700_000_000_000, kind: "tcp", name: "ssh" },
			...{ host: null, port: 20_000, plain: true, connections: null, bytesPerSecond: 1_024, allow: null },
			...{ addresses: [], state: "closing", localDown: "connect\u001b[2J ECONNREFUSED", basicAuth: [] },
			lines: { depth: 8, asked: 0, proving: 0, parked: 0, used: 1, retiring: 0, failed: 0 },
		},
	],
	totals: {
		...{ logins: 7, reconnects: 6, refused: { unauthorized: 2, name: 1 } },
		visitors: [{ tunnel: "app", reason: "client_closed", count: 9 }],
		recycled: { done: 9, age: 1 },
	},
};
