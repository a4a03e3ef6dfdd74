/** What `GET /api/tunnels` answers: agents, what each has opened, and the lines of that. */
import { z } from "zod";
import { formatCidr } from "../config/address.js";
import { usersOf } from "../config/passwords.js";
import { TUNNEL_KINDS } from "../protocol/tunnel/index.js";
import type { TunnelsView } from "../tunnel/gateway/interfaces.js";

const count = (what: string) => z.int().min(0).describe(what);

const agentStatus = z.strictObject({
	id: z.string().describe("As the file calls it"),
	epoch: z.int().describe("Of its login: later ones are higher"),
	address: z.string().describe("Where it connects from"),
	program: z.string().describe("What it says of itself"),
	since: z.iso.datetime().describe("When it logged in (ISO 8601, UTC)"),
	rtt_ms: z.number().nullable().describe("A round trip to it; null before the first"),
});

const tunnelStatus = z.strictObject({
	name: z.string().describe("What it is called: `app` is reached as app.DOMAIN"),
	kind: z.enum(TUNNEL_KINDS).describe("What it carries"),
	agent: z.string().describe("Whose it is"),
	epoch: z.int().describe("Of that agent's login"),
	addresses: z.array(z.string()).describe("Where visitors reach it"),
	state: z
		.enum(["opening", "up", "down", "closing"])
		.describe("down: its local service is; closing: it has been closed, and has visitors yet"),
	why: z
		.string()
		.nullable()
		.describe("What its agent says is wrong with the local service; null: that is up, as far as it looks"),
	plain: z.boolean().describe("Its lines come without TLS"),
	allow: z.array(z.string()).nullable().describe("Blocks whose visitors are let in; null: everybody"),
	connections: z.int().nullable().describe("Visitors that it may have at a time; null: any number"),
	bytes_per_second: z.int().nullable().describe("Both ways together; null: any number"),
	users: z
		.array(z.string())
		.nullable()
		.describe("Whose requests are let in, by a password (basic_auth); null: nobody is asked"),
	lines: z
		.strictObject({
			depth: count("How many are to be parked"),
			asked: count("Its agent will open them"),
			proving: count("Their ticket was good, and they are not parked yet"),
			parked: count("They wait for visitors"),
			used: count("They have one"),
			retiring: count("They go, and have a successor"),
			failed: count("That came to nothing, since it was opened"),
		})
		.describe("How many of its lines are at what"),
});

export const tunnelsStatus = z.strictObject({
	agents: z.array(agentStatus).describe("Those that are logged in"),
	logging_in: count("Control connections whose agent has not logged in yet"),
	tunnels: z.array(tunnelStatus).describe("What they have opened"),
});
export type TunnelsStatus = z.infer<typeof tunnelsStatus>;

export function tunnelsStatusOf({ agents, loggingIn, tunnels }: TunnelsView): TunnelsStatus {
	return {
		agents: agents.map(({ id, epoch, address, agent, sinceMs, rttMs }) => ({
			...{ id, epoch, address, program: agent, since: new Date(sinceMs).toISOString(), rtt_ms: rttMs },
		})),
		logging_in: loggingIn,
		tunnels: tunnels.map(
			({ name, kind, identity, epoch, addresses, state, localDown, plain, allow, lines, ...limits }) => ({
				...{ name, kind, agent: identity, epoch, addresses: [...addresses], state, why: localDown, plain },
				allow: allow?.map(formatCidr) ?? null,
				...{ connections: limits.connections, bytes_per_second: limits.bytesPerSecond },
				...{ users: usersOf(limits.basicAuth), lines: { ...lines } },
			}),
		),
	};
}
