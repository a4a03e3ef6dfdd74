/** A control plane over real sockets in a test's hand, with reactors that only write down what they are told, and agents that speak the wire. */

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import koffi from "koffi";
import { loadConfigText } from "../../../src/config/load.js";
import { issue } from "../../../src/rig/issue.js";
import { startTunnelControl } from "../../../src/tunnel/gateway/control.js";
import type {
	ControlSettings,
	OpenTunnel,
	TunnelControl,
	TunnelEvents,
} from "../../../src/tunnel/gateway/interfaces.js";
import { type Identity, newToken, readToken } from "../../../src/tunnel/keys.js";
import type { Scenario } from "../../support/scenario.js";
import { Changes } from "../../support/waiting.js";

/** One certificate for all: a key costs more than a test. */
const issued = issue({ commonName: "gw.test" });

const dup = koffi.load(null).func("dup", "int", ["int"]);

export const laptop = readToken(newToken("laptop"));
export const server = readToken(newToken("server"));

const keyOf = ({ publicKey }: Identity): string => Buffer.from(publicKey).toString("base64url");

/** An entry of the file: `more` stands behind its id and key. */
export const entry = (identity: Identity, more = 'names: [app, "dev-*"]'): string =>
	`{ id: ${identity.id}, public_key: ${keyOf(identity)}, ${more} }`;

/** `keys`: of `tunnels`, but for `listen` and `agents`. */
export function settings(
	agents: readonly string[],
	keys = "domain: example.com, ports: 20000-20003",
): ControlSettings {
	const { tunnels } = loadConfigText(
		[
			"listeners: [{ listen: 127.0.0.1:443, routes: [{ to: tunnels }] }]",
			`tunnels: { listen: 127.0.0.1:4443, insecure: true, ${keys}, agents: [${agents.join(", ")}] }`,
		].join("\n"),
	);
	if (tunnels === null) throw new Error("no tunnels");
	return {
		tunnels,
		certificate: { cert: issued.cert.text, key: issued.key.text },
		handshakeMs: 5_000,
		publicAddresses: (kind, host) => [kind === "http" ? `https://${host}` : `${host}:443`],
		datagramIdleMs: (kind) => (kind === "udp" ? 30_000 : 120_000),
	};
}

/** Writes down what reactors are told, as lines of text: `opened app`, `closed app parked lost`. */
export class Reactors implements TunnelEvents {
	readonly told: string[] = [];
	readonly tunnels = new Map<number, OpenTunnel>();
	readonly changes = new Changes();
	/** Tunnels that were not refused here, by how often they were closed. */
	readonly closings = new Map<number, number>();
	/** What becomes of the next `opened`: rejected with this, or held up until a promise. */
	readonly fates: (string | Promise<void>)[] = [];

	async opened(tunnel: OpenTunnel): Promise<void> {
		this.tunnels.set(tunnel.number, tunnel);
		this.#note(`opened ${tunnel.name}${tunnel.port === null ? "" : ` on ${tunnel.port}`}`);
		const fate = this.fates.shift();
		if (typeof fate === "string") throw new Error(fate);
		this.closings.set(tunnel.number, 0);
		await fate;
	}

	closed(number: number, cut: string, why: string): void {
		this.closings.set(number, (this.closings.get(number) ?? 0) + 1);
		this.#note(`closed ${this.tunnels.get(number)?.name} ${cut} ${why}`);
	}

	changed(tunnel: OpenTunnel): void {
		this.tunnels.set(tunnel.number, tunnel);
		this.#note(`changed ${tunnel.name} ${tunnel.connections} ${tunnel.bytesPerSecond}`);
	}

	local(number: number, up: boolean): void {
		this.#note(`local ${this.tunnels.get(number)?.name} ${up ? "up" : "down"}`);
	}

	#note(line: string): void {
		this.told.push(line);
		this.changes.announce();
	}

	until(line: string): Promise<true> {
		return this.changes.until(
			() => (this.told.includes(line) ? true : undefined),
			() => `"${line}" among ${this.told.join(", ")}`,
		);
	}
}

export interface Rig {
	readonly control: TunnelControl;
	readonly reactors: Reactors;
	readonly port: number;
	/** A clock that the test moves. */
	readonly clock: { nowMs: number };
	/** Sockets of control connections that are open. */
	readonly sockets: ReadonlySet<Socket>;
	/** They are others now. */
	readonly changes: Changes;
}

interface RigOptions {
	readonly inTheOpen?: boolean;
	/** Takes every connection but the first, which is that of the one agent. Default: all are control connections. */
	readonly line?: (socket: Socket) => void;
}

/** A control plane whose connections are accepted here, and handed over with nothing read. */
export async function startRig(
	scenario: Scenario,
	initial: ControlSettings,
	{ inTheOpen = false, line }: RigOptions = {},
): Promise<Rig> {
	const reactors = new Reactors();
	const clock = { nowMs: 1_000_000 };
	const sockets = new Set<Socket>();
	const changes = new Changes();
	const control = startTunnelControl({
		settings: inTheOpen ? { ...initial, certificate: null } : initial,
		...{ events: reactors, program: "sluice/test", now: () => clock.nowMs, log: { info() {}, warn() {} } },
		opened: (socket) => {
			sockets.add(socket);
			changes.announce();
			socket.once("close", () => {
				sockets.delete(socket);
				changes.announce();
			});
		},
	});
	scenario.defer(() => control.stop());
	let connections = 0;
	const listener = await listen((socket) => {
		if (connections++ > 0 && line !== undefined) return line(socket);
		const { fd } = (socket as Socket & { readonly _handle: { readonly fd: number } })._handle;
		const own = dup(fd) as number;
		socket.destroy();
		control.accept({ fd: own, address: "127.0.0.1", inTheOpen });
	});
	scenario.defer(() => listener.close());
	return { control, reactors, clock, sockets, changes, port: (listener.address() as AddressInfo).port };
}

function listen(accepted: (socket: Socket) => void): Promise<Server> {
	const listener = createServer({ pauseOnConnect: true }, accepted);
	return new Promise((resolve) => listener.listen(0, "127.0.0.1", () => resolve(listener)));
}
