/** Messages for the fuzzer: valid ones from the grammar, with what attackers write mixed in, then mutated. */
import type { Random } from "../../../src/rig/random.js";

const METHODS = ["GET", "GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE"];
const ODD_METHODS = [
	"M-SEARCH",
	"PROPFIND",
	"PURGE",
	"QUERY",
	"get",
	"CONNECT",
	"PRI",
	"SOURCE",
	"FOO",
	"G ET",
];
const TARGETS = ["/", "/a/b?c=d", "/index.html", "/%2e%2e/x", "http://a.example/x", "http://b.example", "*"];
const ODD_TARGETS = [
	...[
		"",
		"a",
		"//",
		"/#x",
		"/?a?b",
		"http://",
		"https://h:80?q",
		"/\t",
		"/ä",
		"HTTP://A.example:8080/",
		"ftp://a/",
	],
	...["/a b", "http://u@h/", "/\\", "?", "h:1", "http://[::1]/", '/"<>{}|^`'],
];
const VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"];
const ODD_VERSIONS = [
	"HTTP/1.2",
	"HTTP/2.0",
	"HTTP/0.9",
	"http/1.1",
	"HTTP/1.10",
	"HTTP/1",
	"HTTP/11",
	"ICE/1.0",
];
const ENDS = [
	"\r\n",
	"\r\n",
	"\r\n",
	"\r\n",
	"\r\n",
	"\r\n",
	"\r\n",
	"\r\n",
	"\r\n",
	"\n",
	"\r",
	"\r\r\n",
	"\n\r",
];
const HOSTS = [
	"a.example",
	"A.Example:8080",
	"[::1]:80",
	"127.0.0.1",
	"",
	"a b",
	"a,b",
	"u@a",
	"a:99999",
	"x_y",
];
const NAMES = [
	"Accept",
	"X",
	"Cookie",
	"User-Agent",
	"X-Forwarded-For",
	"Forwarded",
	"Via",
	"Trailer",
	"Date",
	"TE",
];
const ODD_NAMES = [
	...[
		"Content_Length",
		"Transfer_Encoding",
		"X ",
		" X",
		"",
		"X\0",
		"Xä",
		"X\t",
		"(X)",
		"Host ",
		"\x0bX",
		"X\r",
		"X\n",
	],
	...[
		"Content-Length ",
		"Transfer-Encoding ",
		"Connection ",
		"Keep-Alive",
		"Proxy-Connection",
		"Upgrade",
		"Expect",
	],
];
const VALUES = [
	"y",
	"",
	"a b",
	"text/html, */*;q=0.8",
	" padded ",
	"\t",
	"v=1; w=2",
	"\xe4",
	"100-continue",
	"5",
];
const ODD_VALUES = ["a\0b", "a\x7f", "a\rb", "a\nb", "a\r\n b", "a\r\n\tb", "\x0b", "\x01", "a\x1bb", "\r\n"];
const CONNECTIONS = [
	...[
		"close",
		"keep-alive",
		"Keep-Alive",
		"CLOSE",
		"upgrade",
		"keep-alive, upgrade",
		"close, x",
		"x-a, close",
	],
	...[
		"",
		",",
		"close\t",
		"close ,keep-alive",
		"keep-alive,close",
		"closed",
		"clos",
		"a b",
		"Host",
		"upgrade,close",
	],
	...[
		"X",
		"keep-alive ,\tX",
		"  close  ",
		"\tclose",
		"close,close",
		"keep-alive,x,upgrade",
		"content-length",
	],
];
const LENGTHS = ["0", "1", "5", "00005", "5 ", "\t5", "12", "5\t"];
const ODD_LENGTHS = [
	...[
		"+5",
		"-5",
		"5, 5",
		"5,5",
		"0x5",
		"5 5",
		"",
		" ",
		"5;",
		"18446744073709551616",
		"9007199254740993",
		"5.0",
	],
	...["1e1", "00000000000000000000005", "5\x0b", "\x0c5", "5_0", "999999999999999"],
];
const CODINGS = ["chunked", "chunked", "chunked", "Chunked", "CHUNKED", " chunked ", "chunked\t"];
const ODD_CODINGS = [
	...[
		"chunked, identity",
		"identity",
		"gzip, chunked",
		"gzip",
		"\x0bchunked",
		"chunked,",
		",chunked",
		"xchunked",
	],
	...[
		"chunked chunked",
		"chunked;q=1",
		"chunked\0",
		'"chunked"',
		"chunked, chunked",
		"",
		"chunke",
		"chunkedx",
	],
	...["\x0cchunked", "chun\r\n ked", "identity, chunked", "chunked\x0b", "gzip,\tchunked"],
];
const SIZES = ["0", "1", "5", "a", "A", "1f", "005", "00"];
const ODD_SIZES = [
	...[
		"0x5",
		"+5",
		"-5",
		"5_",
		"",
		" 5",
		"5 ",
		"g",
		"ffffffffffffffff",
		"10000000000000000",
		"1fffffffffffff",
	],
	...["20000000000000", "0000000000000000000005", "5\t", "5\0", "5h", "5.", "7fffffffffffffff", "5;"],
];
const EXTENSIONS = [
	"",
	"",
	"",
	"",
	";a",
	";a=b",
	';a="b c"',
	";a;b=c",
	';a="\\""',
	";chunk-signature=0123abcd",
];
const ODD_EXTENSIONS = [
	...[
		" ;a",
		"; a",
		";a =b",
		";a= b",
		";",
		";;",
		";=b",
		";a=",
		';a="',
		';a="b',
		';a="b"c',
		";a=\x01",
		";a\0",
		",a",
	],
	...[
		";a\n",
		";a\r",
		`;${"e".repeat(254)}`,
		`;${"e".repeat(300)}`,
		';a="\xe4"',
		";a=b\nX",
		";ä",
		';a="\\\n"',
	],
	...[" ", "\t", ";a ", ';a="\t"', ';a="\\\x01"', ";a=b;", ';a="b";c', "a"],
];
const TRAILERS = ["X-Sum: abc", "Server-Timing: x", "X:", "Digest: sha-256=x"];
const ODD_TRAILERS = [
	...[
		"Content-Length: 5",
		"Transfer-Encoding: chunked",
		"Host: b",
		"Connection: close",
		"X : y",
		" X: y",
		"X",
		": y",
	],
	...["X: a\0", "X: a\nY: b", "X\r: y", "Connection: upgrade", "Upgrade: h2c", "X: y\r\n z"],
];
const STATUSES = [
	"200 OK",
	"200 OK",
	"404 Not Found",
	"204 No Content",
	"304 Not Modified",
	"100 Continue",
	"500 ",
];
const ODD_STATUSES = [
	...[
		"200",
		"101 Switching Protocols",
		"99 X",
		"1000 X",
		"20 X",
		"2x0 OK",
		"200OK",
		"200  OK",
		"999 X",
		"200\tOK",
	],
	...[
		"200 O\0K",
		"200 \xe4",
		"103 Early Hints",
		"205 Reset Content",
		"-20 X",
		"000 X",
		"200 OK\x7f",
		"600 ?",
	],
];
const TELLING = '\r\n :,;=0159afAF\t\0\x0b\x7f\x80"\\_-+x';

/** Some messages of a connection, one after the other, perhaps spoilt. One character is one byte. */
export function generate(random: Random, kind: "request" | "response"): string {
	// Mostly good parts: what is spoilt at once in five places says little about any of them.
	const odd = random.pick([0, 0.02, 0.1, 0.3]);
	let text = "";
	for (let count = random.between(1, 3); count > 0; count--) {
		text += kind === "request" ? request(random, odd) : response(random, odd);
	}
	return mutate(random, text);
}

function either(random: Random, odd: number, good: readonly string[], bad: readonly string[]): string {
	return random.pick(random.chance(odd) ? bad : good);
}

function lineEnd(random: Random, odd: number): string {
	return random.chance(odd) ? random.pick(ENDS) : "\r\n";
}

function request(random: Random, odd: number): string {
	const method = either(random, odd, METHODS, ODD_METHODS);
	const target = either(random, odd, TARGETS, ODD_TARGETS);
	const version = either(random, odd, VERSIONS, ODD_VERSIONS);
	const before = random.chance(odd) ? random.pick(["\r\n", "\n", "\r", " ", "\r\n\r\n", "\0"]) : "";
	const line = `${before}${method} ${target} ${version}${lineEnd(random, odd)}`;
	const host = random.chance(odd) ? "" : `Host: ${either(random, odd, HOSTS.slice(0, 4), HOSTS)}\r\n`;
	return line + host + rest(random, odd);
}

function response(random: Random, odd: number): string {
	const version = either(random, odd, VERSIONS, ODD_VERSIONS);
	const status = either(random, odd, STATUSES, ODD_STATUSES);
	return `${version} ${status}${lineEnd(random, odd)}${rest(random, odd)}`;
}

/** Fields and body. */
function rest(random: Random, odd: number): string {
	const lines: string[] = [];
	for (let count = random.below(4); count > 0; count--) {
		const name = either(random, odd, NAMES, ODD_NAMES);
		lines.push(`${name}:${random.pick(["", " ", "  ", "\t"])}${either(random, odd, VALUES, ODD_VALUES)}`);
	}
	if (random.chance(0.3)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`);
	if (random.chance(0.1)) lines.push(`Upgrade: ${random.pick(["websocket", "h2c", ""])}`);
	let body = "";
	const framing = random.below(10);
	if (framing < 3) {
		const length = either(random, odd, LENGTHS, ODD_LENGTHS);
		lines.push(`${random.pick(["Content-Length", "content-length"])}: ${length}`);
		body = "x".repeat(Math.min(Math.abs(Number.parseInt(length, 10) || 0), 40));
	} else if (framing < 6) {
		lines.push(
			`${random.pick(["Transfer-Encoding", "transfer-encoding"])}: ${either(random, odd, CODINGS, ODD_CODINGS)}`,
		);
		body = chunks(random, odd);
	}
	if (random.chance(odd)) lines.push(`Content-Length: ${random.pick(LENGTHS)}`);
	if (random.chance(odd)) lines.push(`Transfer-Encoding: ${random.pick(CODINGS)}`);
	shuffle(random, lines);
	return `${lines.map((line) => line + lineEnd(random, odd)).join("")}${lineEnd(random, odd)}${body}`;
}

function chunks(random: Random, odd: number): string {
	let text = "";
	for (let count = random.below(3); count > 0; count--) {
		const size = either(random, odd, SIZES.slice(1, 7), ODD_SIZES);
		const data = "d".repeat(Math.min(Math.abs(Number.parseInt(size, 16) || 0), 40));
		text += `${size}${either(random, odd, EXTENSIONS, ODD_EXTENSIONS)}${lineEnd(random, odd)}${data}${lineEnd(random, odd)}`;
	}
	text += `0${either(random, odd, EXTENSIONS, ODD_EXTENSIONS)}${lineEnd(random, odd)}`;
	for (let count = random.chance(0.3) ? random.below(3) : 0; count > 0; count--) {
		text += `${either(random, odd, TRAILERS, ODD_TRAILERS)}${lineEnd(random, odd)}`;
	}
	return text + lineEnd(random, odd);
}

function shuffle(random: Random, lines: string[]): void {
	for (let i = lines.length - 1; i > 0; i--) {
		const j = random.below(i + 1);
		[lines[i], lines[j]] = [lines[j] as string, lines[i] as string];
	}
}

/** Changes, inserts, takes out, doubles or cuts, in up to three places; more often than not, nothing. */
function mutate(random: Random, text: string): string {
	let result = text;
	for (let count = Math.max(0, random.between(-3, 3)); count > 0; count--) {
		const place = random.below(result.length + 1);
		const byte = random.chance(0.7) ? random.pick([...TELLING]) : String.fromCharCode(random.below(256));
		switch (random.below(5)) {
			case 0:
				result = result.slice(0, place) + byte + result.slice(place + 1);
				break;
			case 1:
				result = result.slice(0, place) + byte + result.slice(place);
				break;
			case 2:
				result = result.slice(0, place) + result.slice(place + 1);
				break;
			case 3: {
				const end = place + random.below(20);
				result = result.slice(0, end) + result.slice(place);
				break;
			}
			default:
				result = result.slice(0, place);
		}
	}
	return result;
}
