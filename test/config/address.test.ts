import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
	formatCidr,
	parseAdmin,
	parseBind,
	parseCidr,
	parseEndpoint,
	parseHttpUrl,
	parseListen,
} from "../../src/config/address.js";
import { parseProbe, parseServerId, parseUdpEndpoint } from "../../src/config/datagram-values.js";
import { InvalidValue } from "../../src/config/errors.js";

test("a listener binds an address, or every one", () => {
	for (const [text, host, port] of [
		["0.0.0.0:443", "0.0.0.0", 443],
		["[::1]:443", "::1", 443],
		["[2001:DB8:0:0::1]:443", "2001:db8::1", 443],
		["[::]:443", "::", 443],
		["*:443", "*", 443],
		[":443", "*", 443],
		["127.0.0.1:0", "127.0.0.1", 0],
	] as const) {
		assert.deepEqual(parseListen(text), { host, port, transport: "tcp" });
		assert.deepEqual(parseListen(`${text}/udp`), { host, port, transport: "udp" });
		assert.deepEqual(parseBind(text), { host, port });
	}
});

test("an address to bind that is wrong is told how to be written", () => {
	for (const [text, message] of [
		["localhost:443", /binds an IP address, not "localhost": write 127\.0\.0\.1:443/],
		["10.0.0.300:443", /binds an IP address/],
		["0.0.0.0", /port is missing/],
		["443", /the port alone/],
		["0.0.0.0:65536", /port from 0 to 65535, found "65536"/],
		["0.0.0.0:https", /port from 0 to 65535/],
		["0.0.0.0:-1", /port from 0 to 65535/],
		["::1:443", /Write "\[::1\]:443" for port 443 of ::1, or "\[::1:443\]:443"/],
		["unix:/run/x", /only upstreams are Unix sockets/],
		["/run/x", /only upstreams are Unix sockets/],
		["::443", /Write "\[::\]:443" for port 443 of ::, or "\[::443\]:443"/],
		["::1", /the brackets are: write "\[::1\]:443"/],
		["0.0.0.0:80,0.0.0.0:443", /write a listener for each/],
		["0.0.0.0:443/tcp", /write 443 alone/],
		["0.0.0.0:443 ssl", /write 443 alone/],
		["0.0.0.0:80-90", /one port stands here/],
		["[fd00::5]443", /write "\[fd00::5\]:443"/],
		["::ffff:10.0.0.1:443", /write 10\.0\.0\.1:443 instead/],
		["fe80::1%eth0:443", /with a zone/],
		["10.0.0.1:443:443", /with one colon/],
		[" 10.0.0.1:443", /no spaces around an address: write "10\.0\.0\.1:443"/],
		["https://0.0.0.0:443", /remove "https:\/\/"/],
		["fe80::1:2:3:4:5:6:443", /in brackets: write "\[fe80::1:2:3:4:5:6\]:443"/],
		["[::1]", /port is missing/],
		["[1.2.3.4]:443", /brackets are for IPv6: write 1\.2\.3\.4:443/],
		["[fe80::1%eth0]:443", /with a zone/],
		["[::ffff:10.0.0.1]:443", /write 10\.0\.0\.1:443 instead/],
		["0.0.0.0:443/quic", /seen in their datagrams: write 0\.0\.0\.0:443\/udp$/],
		["0.0.0.0:443/h3", /write 0\.0\.0\.0:443\/udp$/],
		["0.0.0.0:443/UDP", /^write 0\.0\.0\.0:443\/udp$/],
		["udp://0.0.0.0:443", /write 0\.0\.0\.0:443\/udp$/],
		["localhost:443/udp", /write 127\.0\.0\.1:443/],
		["0.0.0.0/udp", /port is missing/],
		["0.0.0.0:443/sctp", /found "443\/sctp"/],
		["unix:/run/x.sock", /binds an IP address/],
		["", /port is missing/],
	] as const) {
		assert.throws(() => parseListen(text), { name: "InvalidValue", message }, text);
	}
});

test("the admin pages are shown to everybody only when that is spelled out", () => {
	assert.deepEqual(parseAdmin("localhost:9090"), { kind: "ip", host: "127.0.0.1", port: 9090 });
	assert.deepEqual(parseAdmin("[::1]:9090"), { kind: "ip", host: "::1", port: 9090 });
	assert.deepEqual(parseAdmin("0.0.0.0:9090"), { kind: "ip", host: "0.0.0.0", port: 9090 });
	for (const text of [":9090", "*:9090"]) assert.throws(() => parseAdmin(text), /whole network/);
	assert.throws(() => parseAdmin("admin.example.com:9090"), /write 127\.0\.0\.1:9090/);
});

test("an upstream is an address, a name or a socket", () => {
	for (const [text, endpoint] of [
		["10.0.0.5:443", { kind: "ip", address: "10.0.0.5", family: 4, port: 443 }],
		["[FD00::5]:443", { kind: "ip", address: "fd00::5", family: 6, port: 443 }],
		["App.Internal:443", { kind: "name", host: "app.internal", port: 443 }],
		["app.internal.:443", { kind: "name", host: "app.internal.", port: 443 }],
		["unix:/run/app.sock", { kind: "unix", path: "/run/app.sock" }],
		["unix:app.sock", { kind: "unix", path: "app.sock" }],
	] as const) {
		assert.deepEqual(parseEndpoint(text), endpoint);
	}
});

test("an upstream that is wrong is told how to be written", () => {
	for (const [text, message] of [
		["10.0.0.5:0", /port from 1 to 65535/],
		["10.0.0.500:443", /ends in a number/],
		[":443", /needs a host/],
		["http://10.0.0.5:80", /found the URL/],
		["unix:", /socket path/],
		["a b:443", /a space cannot stand/],
		["*.internal:443", /"\*" cannot stand/],
	] as const) {
		assert.throws(() => parseEndpoint(text), { name: "InvalidValue", message }, text);
	}
});

test("a block of addresses has one spelling", () => {
	for (const [text, canonical] of [
		["10.0.0.0/8", "10.0.0.0/8"],
		["10.1.2.3", "10.1.2.3/32"],
		["10.1.254.0/23", "10.1.254.0/23"],
		["0.0.0.0/0", "0.0.0.0/0"],
		["2001:DB8:8000:0::/33", "2001:db8:8000::/33"],
		["::1", "::1/128"],
		["::/0", "::/0"],
	] as const) {
		assert.equal(formatCidr(parseCidr(text)), canonical);
	}
	for (const [text, block, address] of [
		["10.1.2.3/8", "10.0.0.0/8", "10.1.2.3"],
		["10.1.255.3/23", "10.1.254.0/23", "10.1.255.3"],
		["2001:db8:ffff::1/33", "2001:db8:8000::/33", "2001:db8:ffff::1"],
	] as const)
		assert.throws(() => parseCidr(text), {
			message: new RegExp(`write ${block} for the whole block, or ${address} for the one address`),
		});
	assert.deepEqual(parseCidr("192.168.0.0/20"), { family: 4, bytes: [192, 168, 0, 0], prefixLength: 20 });
});

test("a wrong block is told what was expected", () => {
	for (const [text, message] of [
		["10.0.0.0/33", /from 0 to 32/],
		["::/129", /from 0 to 128/],
		["10.0.0.0/", /from 0 to 32/],
		["10.0.0.0/255.0.0.0", /from 0 to 32/],
		["10.0.0/8", /block of addresses such as 10\.0\.0\.0\/8/],
		["office", /block of addresses/],
	] as const) {
		assert.throws(() => parseCidr(text), { name: "InvalidValue", message }, text);
	}
});

/** The block that a complaint about one with further bits names. */
function complaint(text: string): readonly string[] {
	try {
		parseCidr(text);
		return [];
	} catch (error) {
		return / write (\S+) for the whole block/.exec((error as Error).message) ?? [];
	}
}

test("every block reads back from its spelling", () => {
	const block = fc.oneof(
		fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
		fc.tuple(
			fc.ipV6().filter((text) => !/^[0:]*ffff:/i.test(text)),
			fc.integer({ min: 0, max: 128 }),
		),
	);
	fc.assert(
		fc.property(block, ([address, length]) => {
			const [, whole = `${address}/${length}`] = complaint(`${address}/${length}`);
			const cidr = parseCidr(whole);
			assert.deepEqual(parseCidr(formatCidr(cidr)), cidr);
		}),
	);
});

test("no text makes a parser do anything but answer or complain", () => {
	const text = fc.oneof(fc.string(), fc.stringMatching(/^[[\]0-9a-f:.*%/]{0,30}$/));
	const parser = fc.constantFrom(
		...[parseListen, parseAdmin, parseEndpoint, parseCidr],
		...[parseUdpEndpoint, parseServerId, parseProbe],
	);
	fc.assert(
		fc.property(text, parser, (value, parse) => {
			try {
				parse(value);
			} catch (error) {
				assert.ok(error instanceof InvalidValue, String(error));
			}
		}),
	);
});

test("a URL that is wrong is told how to be written", () => {
	for (const [text, message] of [
		["x:80", /write http:\/\/x:80$/],
		["10.0.0.5", /write http:\/\/10\.0\.0\.5$/],
		["//x", /write http:\/\/x$/],
		["https:x", /write https:\/\/x$/],
		["wss://x/y", /write https:\/\/x\/y$/],
		["unix:/run/x", /write http\+unix:\/run\/x$/],
		["http://unix:/run/x", /write http\+unix:\/run\/x for a socket/],
		["http+unix://%2Frun%2Fx", /write http\+unix:\/run\/x$/],
		["http://u:p@x:80", /write http:\/\/x:80$/],
		["http://fd00::abcd", /write http:\/\/\[fd00::abcd\]$/],
		["http://x:https", /found "https": write 443/],
		["http://x:", /port from 1 to 65535/],
		["http://x:80 ", /no spaces in a URL: write http:\/\/x:80$/],
		["http://x,http://y", /several as a list/],
	] as const) {
		assert.throws(() => parseHttpUrl(text), { name: "InvalidValue", message }, text);
	}
});

test("the admin pages may have a socket, and words for on and off are told", () => {
	assert.deepEqual(parseAdmin("unix:/run/x"), { kind: "unix", path: "/run/x" });
	for (const [text, message] of [
		["unix:", /expected a socket path such as "unix:\/run\/sluice\/admin\.sock"$/],
		["/run/x", /written "unix:\/run\/x"$/],
		["Off", /write off$/],
		["disabled", /write off$/],
		["yes", /write 127\.0\.0\.1:9090$/],
	] as const) {
		assert.throws(() => parseAdmin(text), { name: "InvalidValue", message }, text);
	}
});

test("what other programs write for a block is told as a block", () => {
	for (const [text, meant] of [
		["10.0/16", "10.0.0.0/16"],
		["10.*", "10.0.0.0/8"],
		["192.168.1.*", "192.168.1.0/24"],
		["10.0.0.0/255.0.0.0", "10.0.0.0/8"],
		["10.0.0.1:80", "10.0.0.1, without a port"],
		["[fd00::1]", "fd00::1"],
		["localhost", "127.0.0.0/8, and ::1 for IPv6"],
		["any", "0.0.0.0/0 for all of IPv4, and ::/0 for IPv6"],
		["::ffff:10.0.0.0/104", '10.0.0.0/8 instead of the IPv4-mapped "::ffff:10.0.0.0/104"'],
	] as const) {
		assert.throws(
			() => parseCidr(text),
			(error) => error instanceof InvalidValue && error.message.endsWith(`write ${meant}`),
			text,
		);
	}
});
