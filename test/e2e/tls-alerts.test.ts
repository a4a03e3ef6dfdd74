/** Hellos that cannot be gone on with, as raw bytes, and the alerts that their clients are told (RFC 8446, 6.2). */
import assert from "node:assert/strict";
import {
	alpn,
	extension,
	helloWith,
	message,
	nameEntry,
	record,
	records,
	serverName,
	sni,
	supportedVersions,
	u16,
	vector16,
} from "../protocol/hello-builder.js";
import { concat, hex } from "../protocol/samples.js";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { answering, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, identity } from "../support/tls.js";

const UNEXPECTED_MESSAGE = 10;
const RECORD_OVERFLOW = 22;
const HANDSHAKE_FAILURE = 40;
const ILLEGAL_PARAMETER = 47;
const DECODE_ERROR = 50;
const PROTOCOL_VERSION = 70;

const TERMINATING = 0;
const PASSING = 1;
const RELAYING_OTHERS = 2;

/** A listener that terminates TLS before requests, one that passes it on, and one that does both beside other bytes. */
async function start(scenario: Scenario) {
	const tls = `tls: [${entry(identity(scenario, "a.test"), ["*"])}]`;
	const web = await startUpstream(
		scenario,
		answering(() => ok("inside")),
	);
	const bytes = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
timeouts: { silence: 20ms }
listeners:
  - { listen: "127.0.0.1:0", ${tls}, routes: [{ to: web }] }
  - { listen: "127.0.0.1:0", routes: [{ sni: a.test, to: bytes }, { to: bytes }] }
  - { listen: "127.0.0.1:0", ${tls}, routes: [{ protocol: other, to: bytes }, { to: web }] }
upstreams: { web: { http: "http://${web.address}" }, bytes: "${bytes.address}" }
`,
	);
}

/** What comes back until the other side ends, in hex. */
async function answerTo(scenario: Scenario, port: number, bytes: Uint8Array): Promise<string> {
	const client = await dial(scenario, port);
	client.socket.write(bytes);
	await client.rest();
	client.end();
	return client.received.toString("hex");
}

function alert(description: number): string {
	return Buffer.of(21, 3, 1, 0, 2, 2, description).toString("hex");
}

const MESSAGE = message({ extensions: [sni("a.test")] });

const MALFORMED: readonly (readonly [string, number, Uint8Array])[] = [
	["another message first", UNEXPECTED_MESSAGE, record(message({ extensions: [] }, 2))],
	["a hello without its own header", UNEXPECTED_MESSAGE, record(MESSAGE.subarray(4))],
	["an alert between two parts", UNEXPECTED_MESSAGE, interleaved(hex("15 0303 0002 0100"))],
	["data between two parts", UNEXPECTED_MESSAGE, interleaved(hex("17 0303 0000"))],
	["change_cipher_spec between two parts", UNEXPECTED_MESSAGE, interleaved(hex("14 0303 0001 01"))],
	["an empty record", UNEXPECTED_MESSAGE, record(new Uint8Array(0))],
	["a second message behind the hello", UNEXPECTED_MESSAGE, record(concat(MESSAGE, hex("0e 000000")))],
	[
		"a record of 16,385 bytes",
		RECORD_OVERFLOW,
		record(concat(MESSAGE, new Uint8Array(16385 - MESSAGE.length))),
	],
	["a message that says it is a byte shorter", UNEXPECTED_MESSAGE, shortened()],
	["a record of 65,535 bytes", RECORD_OVERFLOW, hex("16 0301 ffff 01 00ffff 0303")],
	...[0x0000, 0x0002, 0x0100, 0x0200, 0x02ff].map(
		(version) =>
			[`version 0x${version.toString(16)}`, PROTOCOL_VERSION, record(message({ version }))] as const,
	),
	["a message of 16,384 bytes and its header", ILLEGAL_PARAMETER, hex("16 0301 4000 01 004000 0303")],
	["the same extension twice", ILLEGAL_PARAMETER, helloWith(alpn("x"), alpn("y"))],
	[
		"an extension behind the pre-shared key",
		ILLEGAL_PARAMETER,
		helloWith(extension(41, u16(0)), sni("a.test")),
	],
	["two bytes too many", DECODE_ERROR, record(message({ extensions: [], trailing: hex("0000") }))],
	["a session id of 33 bytes", DECODE_ERROR, record(message({ sessionId: new Uint8Array(33) }))],
	["an empty list of names", DECODE_ERROR, helloWith(serverName())],
	["two names for one host", DECODE_ERROR, helloWith(serverName(nameEntry("a.test"), nameEntry("b.test")))],
	["a name with a blank", DECODE_ERROR, helloWith(sni("a .test"))],
	["a name with a zero", DECODE_ERROR, helloWith(serverName(nameEntry("a\0.test")))],
	["an empty protocol", DECODE_ERROR, helloWith(alpn(""))],
	["no version", DECODE_ERROR, helloWith(supportedVersions())],
];

function shortened(): Uint8Array {
	const bytes = record(MESSAGE);
	bytes[8] = (bytes[8] ?? 0) - 1;
	return bytes;
}

function interleaved(between: Uint8Array): Uint8Array {
	return concat(record(MESSAGE.subarray(0, 2)), between);
}

scenario("each kind of malformed hello has the alert that the RFC has for it", async (scenario) => {
	const gateway = await start(scenario);
	for (const listener of [TERMINATING, PASSING])
		for (const [what, description, bytes] of MALFORMED)
			assert.equal(await answerTo(scenario, gateway.port(listener), bytes), alert(description), what);
	for (const session of await gateway.sessions(2 * MALFORMED.length))
		assert.deepEqual([session.reason, session.protocol, session.upstream], ["unrecognized", "tls", null]);
});

scenario(
	"versions above 3.3 are negotiated, and those below are told that they are not spoken",
	async (scenario) => {
		const gateway = await start(scenario);
		const offers = {
			cipherSuites: hex("c02b c02f"),
			extensions: [
				extension(10, vector16(u16(29), u16(23))),
				extension(13, vector16(u16(0x0403), u16(0x0804))),
				extension(11, hex("0100")),
			],
		};
		for (const version of [0x0303, 0x0304, 0x03ff, 0x0400, 0xfefd, 0xffff]) {
			const client = await dial(scenario, gateway.port(TERMINATING));
			client.socket.write(record(message({ version, ...offers })));
			// A record of TLS 1.2, and in it a ServerHello of TLS 1.2.
			const hello = Buffer.from(await client.take(11)).toString("hex");
			assert.match(hello, /^160303....02......0303$/, version.toString(16));
			client.socket.destroy();
		}
		for (const version of [0x0301, 0x0302]) {
			const answer = await answerTo(
				scenario,
				gateway.port(TERMINATING),
				record(message({ version, ...offers })),
			);
			assert.match(answer, new RegExp(`02${PROTOCOL_VERSION.toString(16)}$`), version.toString(16));
		}
		const suites = record(message({ ...offers, cipherSuites: hex("000a") }));
		assert.match(
			await answerTo(scenario, gateway.port(TERMINATING), suites),
			new RegExp(`02${HANDSHAKE_FAILURE.toString(16)}$`),
		);
	},
);

const SSL2_HELLO = concat(hex("802e 01 0301 0015 0000 0010"), new Uint8Array(37));

scenario(
	"a hello of SSL 2 is told that its version is not spoken, where TLS is terminated",
	async (scenario) => {
		const gateway = await start(scenario);
		const refused = alert(PROTOCOL_VERSION);
		for (const hello of [SSL2_HELLO, concat(hex("802e 01 0002"), SSL2_HELLO.subarray(5))])
			for (const listener of [TERMINATING, RELAYING_OTHERS])
				assert.equal(await answerTo(scenario, gateway.port(listener), hello), refused);
		// Records of SSL 2 that are no hello: nobody there takes them.
		for (const start of ["8000", "800100", "800101", "8003010303"])
			assert.equal(
				await answerTo(scenario, gateway.port(TERMINATING), concat(hex(start), SSL2_HELLO)),
				refused,
				start,
			);
		for (const session of await gateway.sessions(8))
			assert.deepEqual([session.reason, session.protocol], ["unrecognized", "tls"]);

		// Bytes of other protocols that begin so are relayed where a route takes them.
		for (const [listener, bytes] of [
			[RELAYING_OTHERS, hex("80000028 7d1a9b3e 00000000")],
			[RELAYING_OTHERS, hex("80")],
			[RELAYING_OTHERS, hex("802e01")],
			[PASSING, SSL2_HELLO],
		] as const) {
			const client = await dial(scenario, gateway.port(listener));
			client.socket.write(bytes);
			assert.deepEqual(Buffer.from(await client.take(bytes.length)), Buffer.from(bytes));
			client.end();
			await client.rest();
		}
	},
);

scenario("two records of a hello may lie far apart in time", async (scenario) => {
	const gateway = await start(scenario);
	const client = await dial(scenario, gateway.port(PASSING));
	const bytes = records(MESSAGE, 2, 40, 3, 1000);
	for (const byte of bytes) await client.send(Uint8Array.of(byte));
	assert.deepEqual(Buffer.from(await client.take(bytes.length)), Buffer.from(bytes));
	client.end();
	await client.rest();
	assert.equal((await gateway.sessionOf(client)).name, "a.test");
});
