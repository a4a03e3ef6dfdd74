/** Who is not the agent that holds a name gets nothing of it: tickets, proofs, logins and names, at the port of a real gateway. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { LINE_ALPN, lineGreeting, lineProof, NONCE_BYTES } from "../../src/protocol/tunnel/line.js";
import type { Ticket } from "../../src/protocol/tunnel/messages.js";
import { type Identity as Key, newToken, readToken } from "../../src/tunnel/keys.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, LOOPBACK, type Peer } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, identity, type TlsPeer } from "../support/tls.js";
import { connectAgent, type TestAgent } from "../tunnel/gateway/test-agent.js";

const laptop = readToken(newToken("laptop"));
const other = readToken(newToken("other"));

interface Rig {
	readonly scenario: Scenario;
	readonly gateway: Gateway;
	/** Of the agents' port. */
	readonly port: number;
}

async function startRig(scenario: Scenario): Promise<Rig> {
	const { certFile, keyFile } = identity(scenario, "gw.test");
	const [from, to] = await twoPorts();
	const keyOf = ({ publicKey }: Key): string => Buffer.from(publicKey).toString("base64url");
	const gateway = await startGateway(
		scenario,
		`
tunnels:
  listen: 127.0.0.1:0
  tls: { cert: "${certFile}", key: "${keyFile}" }
  domain: tunnels.test
  ports: ${from}-${to}
  lines: 1
  lines_max: 4
  canary: 1h
  agents:
    - { id: laptop, public_key: "${keyOf(laptop)}", names: [ssh, "dev-*"] }
    - { id: other, public_key: "${keyOf(other)}", names: [mail, "dev-*"] }
listeners: [{ listen: "127.0.0.1:0", routes: [{ host: "*.tunnels.test", to: tunnels }] }]
`,
		{ own: "the ports of tunnels come and go" },
	);
	return { scenario, gateway, port: gateway.port(1) };
}

/** Two free ports next to each other. */
async function twoPorts(): Promise<[number, number]> {
	for (;;) {
		const first = createServer().listen(0, LOOPBACK);
		await new Promise((resolve) => first.once("listening", resolve));
		const { port } = first.address() as AddressInfo;
		const next = createServer();
		const isFree = await new Promise<boolean>((resolve) => {
			next.once("error", () => resolve(false)).listen(port + 1, LOOPBACK, () => resolve(true));
		});
		for (const server of [first, next]) if (server.listening) await new Promise((done) => server.close(done));
		if (isFree) return [port, port + 1];
	}
}

async function login({ scenario, port }: Rig, key: Key): Promise<TestAgent> {
	const agent = await connectAgent(scenario, port);
	await agent.login(key);
	return agent;
}

/** Opens a tcp tunnel; returns its port, and the first ticket for it. */
async function open(agent: TestAgent, name: string): Promise<{ port: number; ticket: Ticket }> {
	const { addresses } = await agent.open(1, name, { kind: "tcp" });
	return { port: Number(addresses[0]?.split(":").at(-1)), ticket: await nextTicket(agent) };
}

async function nextTicket(agent: TestAgent): Promise<Ticket> {
	const [ticket = assert.fail()] = (await agent.next("lines")).tickets;
	return ticket;
}

interface Shown {
	readonly line: TlsPeer;
	readonly proof: Buffer;
}

/** Shows a ticket, and what `prove` makes of it. */
async function show({ scenario, port }: Rig, ticket: Ticket, prove = lineProof): Promise<Shown> {
	const line = await dialTls(scenario, port, "gw.test", { ALPNProtocols: [LINE_ALPN] });
	await line.send(lineGreeting(ticket.id));
	const proof = prove(ticket.key, ticket.id, await line.take(NONCE_BYTES));
	await line.send(proof);
	return { line, proof };
}

async function isParked({ line }: Shown): Promise<void> {
	assert.deepEqual([...(await line.take(1))], [1]);
}

/** Closed without a word. */
async function isRefused({ line }: Shown): Promise<void> {
	await line.over();
	assert.equal(line.received.length, 0);
}

/** What a visitor says comes by this line, behind a PROXY header. */
async function leadsTo(visitor: Peer, { line }: Shown): Promise<void> {
	await visitor.send("who is there?");
	await line.take(28);
	await line.expect("who is there?");
}

scenario("a ticket opens one line, and only who has its key", async (scenario) => {
	const rig = await startRig(scenario);
	const agent = await login(rig, laptop);
	const { ticket: first } = await open(agent, "ssh");
	const parked = await show(rig, first);
	await isParked(parked);
	// Again; and what was recorded of it, for a nonce that is another one.
	await isRefused(await show(rig, first));
	await isRefused(await show(rig, first, () => parked.proof));
	parked.line.socket.destroy();
	const tampered = await nextTicket(agent);
	await isRefused(
		await show(rig, tampered, (...of) => {
			const proof = lineProof(...of);
			proof.writeUInt8(proof.readUInt8(31) ^ 1, 31);
			return proof;
		}),
	);
	// It has been used, although wrongly.
	await isRefused(await show(rig, tampered));
	const known = await nextTicket(agent);
	await isRefused(await show(rig, { id: known.id, key: first.key }));
	await isRefused(await show(rig, { id: Buffer.alloc(16, 7), key: first.key }));
});

scenario(
	"a line is its ticket's tunnel's, whoever opens it, and is none when that is closed",
	async (scenario) => {
		const rig = await startRig(scenario);
		const agents = { laptop: await login(rig, laptop), other: await login(rig, other) };
		const ssh = await open(agents.laptop, "ssh");
		const mail = await open(agents.other, "mail");
		const [mails, shells] = [await show(rig, mail.ticket), await show(rig, ssh.ticket)];
		await isParked(mails);
		await isParked(shells);
		await leadsTo(await dial(scenario, ssh.port), shells);
		await leadsTo(await dial(scenario, mail.port), mails);
		const late = await nextTicket(agents.other);
		agents.other.send({ type: "close", tunnel: 1 });
		await rig.gateway.metricIs("sluice_tunnels", (tunnels) => tunnels === 1, { state: "up" });
		await isRefused(await show(rig, late));
		const superseded = await nextTicket(agents.laptop);
		const newer = await login(rig, laptop);
		await agents.laptop.next("bye");
		await isRefused(await show(rig, superseded));
		await open(newer, "ssh");
	},
);

scenario(
	"who may not have a name learns nothing of it, and who may learns only that it is taken",
	async (scenario) => {
		const rig = await startRig(scenario);
		const stranger = await login(rig, other);
		const told = async (): Promise<unknown> => {
			const { code, message, final } = await stranger.refusedTunnel(9, "ssh", { kind: "tcp" });
			return { code, message, final };
		};
		const free = await told();
		const owner = await login(rig, laptop);
		await open(owner, "ssh");
		assert.deepEqual(await told(), free);
		await owner.open(2, "dev-a");
		const { code, message } = await stranger.refusedTunnel(9, "dev-a");
		assert.equal(code, "taken");
		assert.doesNotMatch(message, /laptop/);
		// Lost, and not given back: it is kept for its owner.
		owner.socket.destroy();
		await rig.gateway.metricIs("sluice_tunnels", (tunnels) => tunnels === 0, { state: "up" });
		assert.equal((await stranger.refusedTunnel(9, "dev-a")).code, "taken");
		await (await login(rig, laptop)).open(1, "dev-a");
	},
);

scenario(
	"a login that is replayed or tampered with is refused as one that nobody knows",
	async (scenario) => {
		const rig = await startRig(scenario);
		const victim = await connectAgent(scenario, rig.port);
		const { challenge } = await victim.next("hello");
		const signed = victim.sign(laptop, challenge);
		victim.send(signed);
		await victim.next("welcome");
		const thief = await connectAgent(scenario, rig.port);
		await thief.next("hello");
		thief.send(signed);
		const replayed = await thief.next("refused");
		// Its address waits, longer each time.
		await new Promise((resolve) => setTimeout(resolve, 1_050));
		const stranger = readToken(newToken("nobody"));
		const unknown = await (await connectAgent(scenario, rig.port)).refusal(stranger);
		assert.deepEqual({ ...replayed }, { ...unknown });
		assert.deepEqual([replayed.code, replayed.final], ["unauthorized", true]);
		assert.equal((await rig.gateway.metrics()).sum("sluice_tunnel_agents"), 1);
	},
);
