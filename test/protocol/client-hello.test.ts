import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import tls from "node:tls";
import fc from "fast-check";
import {
	CLIENT_HELLO_LIMIT_BYTES,
	CLIENT_HELLO_WIRE_LIMIT_BYTES,
	ClientHello,
	COMPLETE,
	MALFORMED,
	NEED_MORE,
	parseClientHello,
} from "../../src/protocol/index.js";
import {
	alpn,
	echOuter,
	extension,
	helloWith,
	message,
	nameEntry,
	record,
	records,
	serverName,
	sni,
	supportedVersions,
	u8,
	u16,
	u24,
	vector8,
	vector16,
} from "./hello-builder.js";
import {
	concat,
	hex,
	latin1,
	type Outcome,
	parseAsAsked,
	parseEverywhere,
	parseGrowing,
	sample,
	sampleNames,
} from "./samples.js";

interface Said {
	serverName: string | undefined;
	alpnProtocols: string[];
	alpnCount: number;
	supportedVersions: number[];
	legacyVersion: number;
	maxVersion: number;
	hasEncryptedClientHello: boolean;
}

const hello = new ClientHello();

function parse(bytes: Uint8Array, start: number, end: number): Outcome & { result: Said } {
	const verdict = parseClientHello(bytes, start, end, hello);
	return {
		verdict,
		needBytes: hello.needBytes,
		cause: hello.cause,
		result: {
			serverName: hello.serverName,
			alpnProtocols: hello.alpnProtocols,
			alpnCount: hello.alpnCount,
			supportedVersions: hello.supportedVersions,
			legacyVersion: hello.legacyVersion,
			maxVersion: hello.maxVersion,
			hasEncryptedClientHello: hello.hasEncryptedClientHello,
		},
	};
}

function read(bytes: Uint8Array): Said {
	const outcome = parseGrowing(parse, bytes);
	assert.equal(outcome.verdict, COMPLETE, outcome.cause);
	return outcome.result as Said;
}

function assertRefused(bytes: Uint8Array, cause: string, what?: string): void {
	const outcome = parseGrowing(parse, bytes);
	assert.deepEqual([outcome.verdict, outcome.cause], [MALFORMED, cause], what);
	assert.equal((outcome.result as Said).serverName, undefined, "half a hello must name nothing");
}

test("hellos of real clients are read, whichever way the network cuts them", async (t) => {
	const expected: Record<string, Partial<Said>> = {
		"tls-chromium": {
			serverName: "chromium.example.com",
			alpnProtocols: ["h2", "http/1.1"],
			supportedVersions: [0x0304, 0x0303],
			hasEncryptedClientHello: true,
		},
		"tls-curl": { serverName: "curl.example.com", alpnProtocols: ["h2", "http/1.1"] },
		"tls-curl-http1.1": { serverName: "curl.example.com", alpnProtocols: ["http/1.1"] },
		"tls-curl-ip": { serverName: undefined },
		"tls-node": { serverName: "node.example.com", alpnProtocols: ["h2", "http/1.1"] },
		"tls-node-bare": { serverName: undefined, alpnProtocols: [] },
		"tls-openssl-alpn-one": { serverName: "mqtt.example.com", alpnProtocols: ["mqtt"] },
		"tls-openssl-default-alpn": { serverName: "mixed.example.com", alpnProtocols: ["h2", "http/1.1"] },
		"tls-openssl-ip-sni": { serverName: undefined },
		"tls-openssl-no-sni": { serverName: undefined, maxVersion: 0x0304 },
		"tls-openssl-no-sni-tls12": { serverName: undefined, supportedVersions: [], maxVersion: 0x0303 },
		"tls-openssl-tls12": { serverName: "www.example.com", supportedVersions: [], maxVersion: 0x0303 },
		"tls-openssl-tls13": { serverName: "www.example.com", supportedVersions: [0x0304], maxVersion: 0x0304 },
		"tls-openssl-two-records": { serverName: "two.example.com", alpnCount: 40 },
		"tls-python": { serverName: "python.example.com" },
	};
	assert.deepEqual(sampleNames("tls-"), Object.keys(expected).sort(), "each sample has its expectation");
	for (const [name, said] of Object.entries(expected)) {
		await t.test(name, () => {
			const result = read(sample(name));
			for (const [key, value] of Object.entries(said))
				assert.deepEqual(result[key as keyof Said], value, key);
			assert.equal(result.legacyVersion, 0x0303);
		});
	}
});

test("the sample with a post-quantum key share is too long for one segment", () => {
	assert.ok(sample("tls-chromium").length > 1460);
});

test("OpenSSL's hello in two records is the case that needs reassembly", () => {
	const bytes = sample("tls-openssl-two-records");
	const first = 5 + (((bytes[3] as number) << 8) | (bytes[4] as number));
	assert.equal(bytes[first], 22);
	assert.ok(first < bytes.length);
});

test("a hello is read the same however it is cut into records", () => {
	const plain = message({ extensions: [sni("cut.example.com"), alpn("h2"), supportedVersions(0x0304)] });
	const whole = read(record(plain));
	for (const cuts of [
		[1],
		[2],
		[3, 1],
		[4, 1000],
		[5, 7],
		[1, 1, 1, 1, 1000],
		[44, 1],
		[plain.length - 1, 1],
	]) {
		assert.deepEqual(read(records(plain, ...cuts)), whole, `cut at ${cuts}`);
	}
});

test("real hellos in records of one byte each are still read", () => {
	for (const name of ["tls-chromium", "tls-node", "tls-openssl-tls12"]) {
		const bytes = sample(name);
		const cut = records(bytes.subarray(5), 1);
		const outcome = parse(cut, 0, cut.length);
		assert.equal(outcome.verdict, COMPLETE, outcome.cause);
		assert.deepEqual(outcome.result, parse(bytes, 0, bytes.length).result);
	}
});

test("asking for exactly needBytes takes few calls", () => {
	const one = parseAsAsked(parse, sample("tls-chromium"));
	assert.equal(one.outcome.verdict, COMPLETE);
	assert.ok(one.calls <= 3, `${one.calls} calls for one record`);
	const two = parseAsAsked(parse, sample("tls-openssl-two-records"));
	assert.equal(two.outcome.verdict, COMPLETE);
	assert.ok(two.calls <= 5, `${two.calls} calls for two records`);
	const many = parseAsAsked(parse, records(sample("tls-node").subarray(5), 1));
	assert.equal(many.outcome.verdict, COMPLETE);
	assert.ok(many.calls <= 60, `${many.calls} calls for hundreds of records`);
});

test("what does not belong between the first records is seen as soon as its header is there", () => {
	const whole = message({ extensions: [sni("a.example")] });
	for (const length of [1, 2, 4, 7, 60]) {
		const cut = concat(records(whole, length).subarray(0, 5 + length), hex("1703030000"));
		assert.equal(parseAsAsked(parse, cut).outcome.cause, "record_type");
	}
});

test("a version above all that there are is one that can be negotiated", () => {
	for (const version of [0x0304, 0x03ff, 0x0400, 0x0500, 0xfefd, 0xffff]) {
		const { serverName, maxVersion } = read(record(message({ version, extensions: [sni("a.example")] })));
		assert.deepEqual([serverName, maxVersion], ["a.example", 0x0303]);
	}
});

test("what follows the hello's last record is left alone", () => {
	const bytes = helloWith(sni("early.example.com"));
	for (const after of [hex("140303000101"), hex("1703030004aabbccdd"), latin1("garbage"), bytes]) {
		const outcome = parseEverywhere(parse, concat(bytes, after));
		assert.equal(outcome.verdict, COMPLETE);
		assert.deepEqual(outcome.result, read(bytes));
	}
});

test("record headers must be those of a handshake", () => {
	const plain = message({ extensions: [sni("a.example")] });
	assertRefused(record(plain, 23), "record_type");
	assertRefused(hex("1604"), "record_version");
	assertRefused(hex("16 02 00"), "record_version");
	assertRefused(record(plain, 22, 0xfefd), "record_version");
	assertRefused(hex("16 0301 0000"), "record_empty");
	assertRefused(concat(record(plain.subarray(0, 20)), hex("16 0301 0000")), "record_empty");
	assertRefused(hex("16 0301 4001"), "record_too_long");
	assertRefused(hex("16 0301 ffff"), "record_too_long");
	// An alert or application data between the pieces of one message (RFC 8446, 5.1).
	assertRefused(concat(record(plain.subarray(0, 20)), hex("15 0301 0002 0100")), "record_type");
});

test("any minor version of the record is accepted, as RFC 5246, E.1 demands", () => {
	const plain = message({ extensions: [sni("a.example")] });
	for (const version of [0x0300, 0x0301, 0x0303, 0x0304, 0x037f]) {
		assert.equal(read(record(plain, 22, version)).serverName, "a.example");
	}
});

test("a length that cannot become a hello is refused before its bytes come", () => {
	assertRefused(concat(hex("16 0301 0010 01"), u24(CLIENT_HELLO_LIMIT_BYTES - 3)), "hello_too_long");
	assertRefused(hex("16 0301 4000 01 ffffff"), "hello_too_long");
	assertRefused(concat(hex("16 0301 0010 01"), u24(40)), "hello_too_short");
	assertRefused(hex("16 0301 0004 01 000000"), "hello_too_short");
	assertRefused(hex("16 0301 0004 02"), "message_type");
	assertRefused(record(message({}, 0)), "message_type");
});

test("the longest hello is 16 KiB, its own header included", () => {
	const base = message({ extensions: [sni("long.example"), extension(21)] }).length;
	const padded = (bytes: number) =>
		message({ extensions: [sni("long.example"), extension(21, new Uint8Array(bytes - base))] });
	const longest = record(padded(CLIENT_HELLO_LIMIT_BYTES));
	assert.equal(longest.length, 5 + CLIENT_HELLO_LIMIT_BYTES);
	assert.equal(parseEverywhere(parse, longest).verdict, COMPLETE);
	const longer = records(padded(CLIENT_HELLO_LIMIT_BYTES + 1), 16384);
	assert.equal(parseEverywhere(parse, longer).cause, "hello_too_long");
	const cut = records(padded(CLIENT_HELLO_LIMIT_BYTES), 90);
	assert.ok(cut.length <= CLIENT_HELLO_WIRE_LIMIT_BYTES);
	assert.equal(parseEverywhere(parse, cut).verdict, COMPLETE);
});

test("a hello cut too finely is refused, and needBytes never exceeds the wire limit", () => {
	const plain = message({ extensions: [sni("long.example"), extension(21, new Uint8Array(4000))] });
	const cut = records(plain, 1);
	let asked = 0;
	for (let length = 0; length < cut.length; length += 11) {
		const outcome = parse(cut, 0, length);
		if (outcome.verdict === MALFORMED) {
			assert.equal(outcome.cause, "too_many_records");
			assert.ok(length <= CLIENT_HELLO_WIRE_LIMIT_BYTES);
			assert.ok(asked <= CLIENT_HELLO_WIRE_LIMIT_BYTES);
			return;
		}
		assert.equal(outcome.verdict, NEED_MORE);
		asked = Math.max(asked, outcome.needBytes);
	}
	assert.fail("taken");
});

test("another message behind the hello in the same record is refused", () => {
	const plain = message({ extensions: [sni("a.example")] });
	assertRefused(record(concat(plain, u8(0))), "data_after_hello");
	assertRefused(record(concat(plain, plain)), "data_after_hello");
	assertRefused(
		concat(record(plain.subarray(0, 30)), record(concat(plain.subarray(30), u8(0)))),
		"data_after_hello",
	);
});

test("lengths inside the hello must fit exactly", () => {
	const cases: [string, Uint8Array][] = [
		["hello_version", record(message({ version: 0x0203 }))],
		["hello_version", record(message({ version: 0x0000 }))],
		["session_id_length", record(message({ sessionId: new Uint8Array(33) }))],
		[
			"cipher_suites_length",
			record(message({ cipherSuites: new Uint8Array(0), trailing: new Uint8Array(9) })),
		],
		["cipher_suites_length", record(message({ cipherSuites: new Uint8Array(3) }))],
		["compression_methods", record(message({ compression: new Uint8Array(0) }))],
		["compression_methods", record(message({ compression: u8(1) }))],
		["extensions_length", record(message({ trailing: u8(0) }))],
		["extensions_length", record(message({ trailing: u16(1) }))],
		["extensions_length", record(message({ extensions: [sni("a.example")], trailing: u8(0) }))],
		["extension_length", helloWith(hex("000000"))],
		["extension_length", helloWith(hex("0017 0001"))],
		["extension_length", helloWith(sni("a.example"), hex("0017 ffff 00"))],
	];
	for (const [cause, bytes] of cases) assertRefused(bytes, cause);
	// Lengths that run over the end of the message, in each place.
	const plain = message({ sessionId: new Uint8Array(0), extensions: [] });
	const patched = (index: number, value: number) => {
		const copy = plain.slice();
		copy[index] = value;
		return record(copy);
	};
	assertRefused(patched(38, 0x20), "session_id_length");
	assertRefused(patched(39, 0xff), "cipher_suites_length");
	assertRefused(patched(45, 0xff), "compression_methods");
});

test("no extensions at all is a hello of TLS 1.2 or older", () => {
	assert.deepEqual(read(record(message({ version: 0x0301, sessionId: new Uint8Array(0) }))), {
		serverName: undefined,
		alpnProtocols: [],
		alpnCount: 0,
		supportedVersions: [],
		legacyVersion: 0x0301,
		maxVersion: 0x0301,
		hasEncryptedClientHello: false,
	});
	assert.equal(read(helloWith()).maxVersion, 0x0303);
	assert.equal(read(record(message({ version: 0x0304, extensions: [] }))).maxVersion, 0x0303);
});

test("an extension may come once only, whatever its type", () => {
	for (const twice of [sni("a.example"), alpn("h2"), extension(0x0a0a), extension(0xffff), extension(31)]) {
		assertRefused(helloWith(twice, extension(23), twice), "extension_duplicate");
	}
	// What one hello marked as seen must not count against the next.
	const bytes = helloWith(sni("a.example"), extension(0x2a2a), extension(32), extension(31));
	for (let i = 0; i < 3; i++) assert.equal(read(bytes).serverName, "a.example");
});

test("nothing may follow pre_shared_key", () => {
	assert.equal(read(helloWith(sni("a.example"), extension(41))).serverName, "a.example");
	assertRefused(helloWith(extension(41), sni("a.example")), "extension_after_pre_shared_key");
});

test("server names are lower-cased and lose one final dot", () => {
	const label = "a".repeat(63);
	const longest = `${label}.${label}.${label}.${"b".repeat(61)}`;
	assert.equal(longest.length, 253);
	const cases: [string, string | undefined][] = [
		["www.example.com", "www.example.com"],
		["WWW.Example.COM", "www.example.com"],
		["www.example.com.", "www.example.com"],
		["localhost", "localhost"],
		["_dmarc.ex-ample.com", "_dmarc.ex-ample.com"],
		["-odd-.example", "-odd-.example"],
		["xn--bcher-kva.example", "xn--bcher-kva.example"],
		["1.2.3", "1.2.3"],
		["1.2.3.4.5", "1.2.3.4.5"],
		["256.1.1.1", "256.1.1.1"],
		[longest, longest],
		[`${longest}.`, longest],
		// Addresses are no names; they count as none.
		["127.0.0.1", undefined],
		["127.0.0.1.", undefined],
		["::1", undefined],
		["[::1]", undefined],
		["2001:DB8::1", undefined],
		["::ffff:192.0.2.1", undefined],
	];
	for (const [sent, name] of cases) assert.equal(read(helloWith(sni(sent))).serverName, name, sent);
});

test("server names with any other byte or shape are refused", () => {
	const label = "a".repeat(63);
	const names = [
		".",
		"..",
		".example.com",
		"example..com",
		"example.com..",
		"exa mple.com",
		" example.com",
		"example.com\0",
		"example.com\0.evil.example",
		"exämple.com",
		"*.example.com",
		"example.com:443",
		"example.com/",
		"user@example.com",
		"a%2eb",
		"::g",
		"[::1",
		"[]",
		":",
		`${label}a.example`,
		`${label}.${label}.${label}.${"b".repeat(62)}`,
		"a".repeat(5000),
	];
	for (const name of names) assertRefused(helloWith(sni(name)), "server_name_invalid", JSON.stringify(name));
});

test("the list of server names is checked to the byte", () => {
	assertRefused(helloWith(extension(0)), "server_name_length", "what a server sends back");
	assertRefused(helloWith(serverName()), "server_name_length");
	assertRefused(helloWith(sni("")), "server_name_length");
	assertRefused(helloWith(extension(0, u16(9), nameEntry("a.b"))), "server_name_length");
	assertRefused(helloWith(extension(0, vector16(nameEntry("a.b")), u8(0))), "server_name_length");
	assertRefused(helloWith(extension(0, vector16(nameEntry("a.b"), hex("0000")))), "server_name_length");
	assertRefused(helloWith(extension(0, vector16(hex("00 0009 61")))), "server_name_length");
	assertRefused(helloWith(serverName(nameEntry("a.b"), nameEntry("a.b"))), "server_name_duplicate");
	assertRefused(helloWith(serverName(nameEntry("x", 7), nameEntry("y", 7))), "server_name_duplicate");
	assert.equal(read(helloWith(serverName(nameEntry("\0", 7), nameEntry("a.b")))).serverName, "a.b");
	assert.equal(read(helloWith(serverName(nameEntry("\0", 7)))).serverName, undefined);
});

test("ALPN is kept in the client's order and found by hasAlpn", () => {
	const longest = "p".repeat(255);
	const bytes = helloWith(alpn("h2", "http/1.1", longest, "\x0a\x0a"));
	const said = read(bytes);
	assert.deepEqual(said.alpnProtocols, ["h2", "http/1.1", longest, "\x0a\x0a"]);
	assert.equal(said.alpnCount, 4);
	parseClientHello(bytes, 0, bytes.length, hello);
	for (const [protocol, offered] of [
		["h2", true],
		["http/1.1", true],
		[longest, true],
		["h", false],
		["h22", false],
		["http/1.0", false],
		["", false],
	] as const) {
		assert.equal(hello.hasAlpn(latin1(protocol)), offered, protocol);
	}
	parseClientHello(helloWith(), 0, helloWith().length, hello);
	assert.equal(hello.hasAlpn(latin1("h2")), false, "nothing is left of the hello before");
});

test("ALPN lists and names in them are never empty and fit exactly", () => {
	for (const broken of [
		extension(16),
		extension(16, u16(0)),
		alpn(""),
		alpn("h2", ""),
		extension(16, vector16(hex("02 68"))),
		extension(16, vector16(vector8(latin1("h2"))), u8(0)),
		extension(16, u16(4), vector8(latin1("h2"))),
	]) {
		assertRefused(helloWith(broken), "alpn_length");
	}
});

test("supported versions come without GREASE, and the highest is known", () => {
	const said = read(helloWith(supportedVersions(0x7a7a, 0x0303, 0x0304, 0xfafa, 0x0302)));
	assert.deepEqual(said.supportedVersions, [0x0303, 0x0304, 0x0302]);
	assert.equal(said.maxVersion, 0x0304);
	assert.equal(read(helloWith(supportedVersions(0x0302))).maxVersion, 0x0302, "the extension is what counts");
	assert.equal(
		read(helloWith(supportedVersions(...new Array<number>(127).fill(0x0304)))).supportedVersions.length,
		127,
	);
	for (const broken of [
		extension(43),
		extension(43, u8(0)),
		extension(43, hex("03 0304 03")),
		extension(43, hex("02 0304 00")),
		extension(43, hex("04 0304")),
	]) {
		assertRefused(helloWith(broken), "supported_versions_length");
	}
});

test("an outer encrypted hello is seen, and the name is the outer one", () => {
	const said = read(helloWith(sni("public.example"), echOuter(32, 200)));
	assert.deepEqual([said.serverName, said.hasEncryptedClientHello], ["public.example", true]);
	assert.equal(read(helloWith(echOuter(0, 1))).hasEncryptedClientHello, true);
	assert.equal(
		read(helloWith(extension(0xfe0d, u8(1)))).hasEncryptedClientHello,
		false,
		"inner: the name is real",
	);
	for (const broken of [
		extension(0xfe0d),
		extension(0xfe0d, u8(2)),
		extension(0xfe0d, u8(0)),
		extension(0xfe0d, hex("01 00")),
		echOuter(32, 0),
		extension(0xfe0d, hex("00 00010001 07 0000 0001 aa bb")),
		extension(0xfe0d, hex("00 00010001 07 ffff 0001 aa")),
	]) {
		assertRefused(helloWith(broken), "encrypted_client_hello");
	}
});

test("results of one hello never show in the next", () => {
	read(sample("tls-chromium"));
	const said = read(record(message({ sessionId: new Uint8Array(0) })));
	assert.deepEqual(said.alpnProtocols, []);
	assert.equal(said.serverName, undefined);
	read(sample("tls-chromium"));
	const outcome = parse(hex("1603"), 0, 2);
	assert.equal(outcome.verdict, NEED_MORE);
	assert.equal(outcome.result.serverName, undefined);
});

const realHellos = sampleNames("tls-").map(sample);

test("property: mutated hellos never throw, hang, or depend on what lies around them", () => {
	fc.assert(
		fc.property(
			fc.constantFrom(...realHellos),
			fc.array(fc.tuple(fc.nat(2500), fc.nat(255)), { minLength: 1, maxLength: 6 }),
			fc.nat(2500),
			(original, changes, cut) => {
				const bytes = original.slice(0, Math.max(1, original.length - (cut % (original.length * 2))));
				for (const [index, value] of changes) bytes[index % bytes.length] = value;
				const whole = parseEverywhere(parse, bytes);
				const half = parse(bytes, 0, bytes.length >> 1);
				if (half.verdict !== NEED_MORE) assert.equal(half.verdict, whole.verdict);
			},
		),
		{ numRuns: 1500 },
	);
});

test("property: random bytes behind a record header never throw", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(400), (bytes, length) => {
			parseEverywhere(parse, concat(hex("160301"), u16(length), hex("010000"), bytes));
			parseEverywhere(parse, bytes);
		}),
		{ numRuns: 500 },
	);
});

test("property: any hello cut into records anywhere is read the same", () => {
	const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9-]{0,20}[a-z0-9])?$/);
	const name = fc
		.tuple(label, label, fc.constantFrom("com", "example", "net"))
		.map((parts) => parts.join("."));
	fc.assert(
		fc.property(
			name,
			fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12, unit: "binary-ascii" }), {
				maxLength: 5,
				minLength: 1,
			}),
			fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 6 }),
			(host, protocols, cuts) => {
				const plain = message({ extensions: [alpn(...protocols), extension(10), sni(host)] });
				const outcome = parseEverywhere(parse, records(plain, ...cuts));
				assert.equal(outcome.verdict, COMPLETE, outcome.cause);
				const said = outcome.result as Said;
				assert.equal(said.serverName, host);
				assert.deepEqual(said.alpnProtocols, protocols);
			},
		),
		{ numRuns: 200 },
	);
});

test("hellos that Node's own TLS makes are read as its server would read them", async () => {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const port = (server.address() as AddressInfo).port;
	try {
		const cases = fc.sample(
			fc.record({
				host: fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?\.example$/),
				protocols: fc.uniqueArray(fc.stringMatching(/^[!-~]{1,20}$/), { minLength: 1, maxLength: 6 }),
				maxVersion: fc.constantFrom<tls.SecureVersion>("TLSv1.2", "TLSv1.3"),
			}),
			25,
		);
		for (const { host, protocols, maxVersion } of cases) {
			const accepted = once(server, "connection");
			const client = tls.connect({
				port,
				host: "127.0.0.1",
				servername: host,
				ALPNProtocols: protocols,
				maxVersion,
			});
			client.on("error", () => {});
			const [socket] = (await accepted) as [Socket];
			const chunks: Buffer[] = [];
			do chunks.push(((await once(socket, "data")) as [Buffer])[0]);
			while (parse(concat(...chunks), 0, concat(...chunks).length).verdict === NEED_MORE);
			const said = read(concat(...chunks));
			assert.equal(said.serverName, host.toLowerCase());
			assert.deepEqual(said.alpnProtocols, protocols);
			assert.equal(said.maxVersion, maxVersion === "TLSv1.2" ? 0x0303 : 0x0304);
			socket.destroy();
			client.destroy();
		}
	} finally {
		server.close();
	}
});
