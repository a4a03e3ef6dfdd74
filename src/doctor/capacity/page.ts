/** `docs/capacity.md`, from what was recorded of a machine. The same record gives the same page. */

import type { Config } from "../../config/config.js";
import { loadConfigText } from "../../config/load.js";
import { descriptorsFor } from "../../gateway/descriptors.js";
import { asked, assumedConfig } from "../asked.js";
import { portsOf } from "../checks/ports.js";
import { bytes, count } from "../finding.js";
import { DATAGRAM_SOCKET_BYTES, SOCKET_BYTES } from "../plan/assumed.js";
import { streamBuffers } from "../plan/kinds.js";
import { type Plan, planFor } from "../plan/plan.js";
import { factsOf, OPEN, REACTORS, type Recorded } from "./recorded.js";
import { RESOURCES, type ResourceRow, type Sizes } from "./resources.js";
import { SAID_BYTES, saidAndMeasured } from "./said.js";

const SIZES = [100, 1_000, 10_000, 100_000, 1_000_000] as const;

/** One of everything, so that each kind has its size: lines within TLS, as they are by default. */
const EVERYTHING = `
tunnels:
  listen: 127.0.0.1:4443
  tls: { cert: a.pem, key: a.key }
  domain: tunnels.test
  agents: [{ id: a, public_key: kDHCDoIsa0cXLjlRXO5jr7uPu913jCo34lbFr3lDrUk, names: [app] }]
hub: { memory: 16MiB, channels: [{ match: news, subscribe: public }] }
listeners:
  - { listen: "0.0.0.0:80", routes: [{ host: hub.test, to: hub }] }
  - { listen: "0.0.0.0:443", routes: [{ to: a }] }
  - { listen: "0.0.0.0:53/udp", routes: [{ to: dns }] }
upstreams: { a: 192.0.2.1:443, dns: { udp: "192.0.2.2:53" } }
`;

const MARK = "<!-- recorded: ";

export function capacityPage(recorded: Recorded): string {
	const facts = factsOf(recorded);
	const planOf = (config: Config, sessions: number): Plan =>
		planFor({ ...asked(facts, config, sessions), reactors: REACTORS }, sessions, recorded.measured);
	const plain = assumedConfig();
	const everything = loadConfigText(EVERYTHING, { env: {} });
	const { kinds } = planOf(everything, 1);
	const buffers = streamBuffers(asked(facts, plain, null));
	const stream = recorded.measured.socketBytes ?? SOCKET_BYTES;
	const datagram = recorded.measured.datagramSocketBytes ?? DATAGRAM_SOCKET_BYTES;
	const sizes: Sizes = { stream, datagram, usual: buffers.usual, most: buffers.most, kinds };
	return [
		head(recorded),
		"## Sessions",
		sessionsText,
		numbers(
			[
				"sessions",
				"descriptors",
				"kernel, idle",
				"buffers full, as they begin",
				"… as they may grow",
				"process",
				"all idle, and the process itself",
				"addresses of an upstream",
				"all come in",
			],
			SIZES.map((size) => {
				const { perSession, idleBytes, rates } = planOf(plain, size);
				return [
					count(size),
					count(descriptorsOf(plain, size)),
					bytes(size * perSession.kernelIdle),
					bytes(size * perSession.kernelBusy),
					bytes(size * perSession.kernelMost),
					bytes(size * perSession.user),
					bytes(idleBytes),
					count(Math.ceil(size / Math.max(1, portsOf(facts) ?? 1))),
					rates.sessionsSeconds === null ? "not measured" : `${rates.sessionsSeconds} s`,
				];
			}),
		),
		"## Everything else",
		kindsText,
		numbers(
			[
				"one",
				"descriptors",
				"kernel, idle",
				"buffers full, as they begin",
				"process",
				...SIZES.map((size) => `${count(size)}, idle`),
			],
			kinds.map(({ name, descriptors, kernelIdle, kernelBusy, user }) => [
				name,
				count(descriptors),
				bytes(kernelIdle),
				bytes(kernelBusy),
				bytes(user),
				...SIZES.map((size) => bytes(size * (kernelIdle + user))),
			]),
		),
		"## What takes memory, and what gives it back",
		resourcesText,
		table(
			["resource", "idle", "busy", "given back by", "at the latest", "bounded by", "then"],
			RESOURCES.map((row) => resourceCells(row, sizes)),
		),
		"## What is often said, and what was measured",
		saidText,
		table(
			["it is said", "measured", "why"],
			saidAndMeasured(recorded, (size) => planOf(plain, size)).map(({ claim, measured, why }) => [
				claim,
				measured,
				why,
			]),
		),
		"The same as a table, for one end of each connection, as servers have it that relay nothing:",
		numbers(
			[
				"connections",
				"the kernel's, as it is said",
				"measured, idle",
				"… buffers full, as they begin",
				"the application's, as it is said",
				"measured: rows of the table",
			],
			SIZES.map((size) => {
				const { perSession } = planOf(plain, size);
				const said = (which: keyof typeof SAID_BYTES): string =>
					SAID_BYTES[which].map((each) => decimal(size * each)).join(" to ");
				return [
					count(size),
					said("kernel"),
					bytes((size * perSession.kernelIdle) / 2),
					bytes((size * perSession.kernelBusy) / 2),
					said("application"),
					bytes(size * perSession.user),
				];
			}),
		),
		`${MARK}${JSON.stringify(recorded)} -->`,
		"",
	]
		.join("\n\n")
		.replace(/\n+$/, "\n");
}

/** What a page was made from. */
export function recordedIn(page: string): Recorded {
	const line = page.split("\n").find((each) => each.startsWith(MARK));
	if (line === undefined) throw new Error("the page does not say what it was made from");
	return JSON.parse(line.slice(MARK.length, -" -->".length)) as Recorded;
}

/** Without those that the process that measures has open itself. */
function descriptorsOf({ limits, listeners }: Config, sessions: number): number {
	return descriptorsFor(sessions, limits.fdReserve, REACTORS, listeners.length, OPEN);
}

function head({ date, machine, settings, measured }: Recorded): string {
	return `# Capacity

What connections need, from 100 to 1,000,000 of them; what each thing that they take costs, and what gives it back; and what is often said of it. This page is made by

\`\`\`sh
npm run capacity
\`\`\`

which measures the machine that it runs on, for two seconds over loopback (\`npm run capacity -- --recorded\` makes it anew of the same measurements). This one was made on ${date}: Linux ${machine.kernel}, Node ${machine.node}, ${count(machine.cores)} cores, ${bytes(machine.memoryBytes)}. An idle
TCP socket took ${measured.socketBytes === null ? "an unknown part" : bytes(measured.socketBytes)} of the kernel's memory there, by ${count(measured.sockets)} sockets; a socket of UDP ${measured.datagramSocketBytes === null ? "an unknown part" : bytes(measured.datagramSocketBytes)}. \`tcp_rmem\` was \`${settings["net.ipv4.tcp_rmem"]}\`, \`tcp_wmem\` \`${settings["net.ipv4.tcp_wmem"]}\`,
and the local ports \`${settings["net.ipv4.ip_local_port_range"]}\`. A busy machine moves such numbers by a quarter. What *your* machine has room for, and what gives out first there, says
[\`sluice doctor --connections N\`](operations.md#the-plan), with the same arithmetic.`;
}

const sessionsText = `Sessions of TCP, each with a client and an upstream, through a gateway with one listener, one upstream and two reactors. *Buffers full* is what the kernel takes where no reader reads, for both
sockets: as they begin, and as they may grow. It is a ceiling, which \`limits.memory\` and \`tcp_mem\` cut. *Addresses of an upstream*: to one address and port there are as
many connections as there are local ports. *All come in*: routed, relayed and logged, by both cores.`;

const kindsText = `A session beside what else a gateway holds. A visitor of a tunnel is a session whose second descriptor is a line that was parked. A socket of UDP has the buffers of
\`rmem_default\` and \`wmem_default\`, which nothing tunes. Lines are within TLS here; plain ones (\`tunnels.plain_lines\`) have no OpenSSL. A subscriber comes without TLS here.`;

const resourcesText = `Keys are those of the [configuration](reference/configuration.md), and reasons those that [sessions end for](reference/reasons.md). Every descriptor is given back at one place in
the code, and [the ledger](reliability.md#the-ledger) holds what was opened and closed against the kernel's own table.`;

const saidText = `The claims come from texts on servers in Go and Rust and on the kernel. Some are true of the programs that they are about; as rules about Linux they do not hold. The measured
column is this machine's.`;

function resourceCells(
	{ name, idle, busy, freed, deadlines, bounds, reasons }: ResourceRow,
	sizes: Sizes,
): string[] {
	const keys = (list: readonly string[]): string =>
		list.length === 0 ? "–" : list.map((key) => `\`${key}\``).join(", ");
	const then = reasons.map((reason) => `[\`${reason}\`](reference/reasons.md#${reason})`).join(", ");
	return [name, idle(sizes), busy(sizes), freed, keys(deadlines), keys(bounds), then === "" ? "–" : then];
}

type Rows = readonly (readonly string[])[];

function table(heads: readonly string[], rows: Rows, line = "---"): string {
	const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
	return [row(heads), row(heads.map((_, index) => (index === 0 ? "---" : line))), ...rows.map(row)].join(
		"\n",
	);
}

function numbers(heads: readonly string[], rows: Rows): string {
	return table(heads, rows, "---:");
}

/** As such texts write it: 3.4 MB. */
function decimal(amount: number): string {
	const [size, unit] = amount >= 1e9 ? [1e9, "GB"] : [1e6, "MB"];
	return `${Number((amount / size).toPrecision(3)).toLocaleString("en-US")} ${unit}`;
}
