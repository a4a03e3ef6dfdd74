/**
 * Records what real clients send first, into samples/*.hex. Not a test: run it by hand when a new client should
 * be added, `node dist/test/protocol/capture-samples.js [name…]`. Everything stays on loopback; a client that is
 * not installed is skipped.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { SAMPLES } from "./samples.js";

interface Capture {
	readonly name: string;
	/** What to write into the sample's head. */
	readonly madeBy: string;
	/** A command; PORT in its arguments stands for the port of the recording server. */
	readonly command?: readonly string[];
	readonly run?: (port: number) => void;
	/** What the server says first; SSH clients send their line at once, others never need it. */
	readonly answer?: string;
}

const scratch = mkdtempSync(join(tmpdir(), "sluice-capture-"));

const CHROMIUM = [
	"chromium",
	"--headless",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	`--user-data-dir=${join(scratch, "chromium")}`,
	"--host-resolver-rules=MAP * 127.0.0.1",
];

const CAPTURES: readonly Capture[] = [
	openssl("tls-openssl-tls13", ["-servername", "www.example.com", "-tls1_3"]),
	openssl("tls-openssl-tls12", ["-servername", "www.example.com", "-tls1_2"]),
	openssl("tls-openssl-default-alpn", ["-servername", "Mixed.Example.COM", "-alpn", "h2,http/1.1"]),
	openssl("tls-openssl-alpn-one", ["-servername", "mqtt.example.com", "-alpn", "mqtt"]),
	openssl("tls-openssl-no-sni", ["-noservername"]),
	openssl("tls-openssl-no-sni-tls12", ["-noservername", "-tls1_2"]),
	openssl("tls-openssl-ip-sni", ["-servername", "127.0.0.1"]),
	// A hello of more than 512 bytes, and records of 512 at most: OpenSSL then cuts it.
	openssl("tls-openssl-two-records", [
		"-servername",
		"two.example.com",
		"-alpn",
		longAlpn(),
		"-max_send_frag",
		"512",
	]),
	command("tls-curl", [
		"curl",
		"-sk",
		"--resolve",
		"curl.example.com:PORT:127.0.0.1",
		"https://curl.example.com:PORT/",
	]),
	command("tls-curl-http1.1", [
		"curl",
		"-sk",
		"--http1.1",
		"--resolve",
		"curl.example.com:PORT:127.0.0.1",
		"https://curl.example.com:PORT/",
	]),
	command("tls-curl-ip", ["curl", "-sk", "https://127.0.0.1:PORT/"]),
	command("tls-python", ["python3", "-c", PYTHON_TLS()]),
	command("tls-chromium", [...CHROMIUM, "https://chromium.example.com:PORT/"]),
	{
		name: "tls-node",
		madeBy: "node tls.connect, servername and ALPNProtocols",
		run: (port) =>
			quiet(
				tls.connect({
					port,
					host: "127.0.0.1",
					servername: "node.example.com",
					ALPNProtocols: ["h2", "http/1.1"],
				}),
			),
	},
	{
		name: "tls-node-bare",
		madeBy: "node tls.connect, no servername",
		run: (port) => quiet(tls.connect({ port, host: "127.0.0.1" })),
	},
	command("http-curl", [
		"curl",
		"-s",
		"-H",
		"Host: Curl.Example.com:8080",
		"http://127.0.0.1:PORT/path?query=1",
	]),
	command("http-curl-http1.0", ["curl", "-s", "--http1.0", "-H", "Host:", "http://127.0.0.1:PORT/"]),
	command("http-curl-post", ["curl", "-s", "--data", "a=b&c=d", "http://127.0.0.1:PORT/form"]),
	command("http-curl-chunked", [
		"curl",
		"-s",
		"-H",
		"Transfer-Encoding: chunked",
		"--data",
		"a=b",
		"http://127.0.0.1:PORT/",
	]),
	command("http-curl-proxy", ["curl", "-s", "-x", "http://127.0.0.1:PORT", "http://origin.example.com/x"]),
	command("http-curl-connect", [
		"curl",
		"-s",
		"-p",
		"-x",
		"http://127.0.0.1:PORT",
		"http://origin.example.com:8443/",
	]),
	command("http-curl-upgrade-h2c", ["curl", "-s", "--http2", "http://127.0.0.1:PORT/"]),
	command("h2c-curl", ["curl", "-s", "--http2-prior-knowledge", "http://127.0.0.1:PORT/"]),
	command("http-python", [
		"python3",
		"-c",
		"import urllib.request as u; u.urlopen('http://127.0.0.1:PORT/')",
	]),
	command("http-chromium", [...CHROMIUM, "http://chromium.example.com:PORT/"]),
	{
		name: "http-node-websocket",
		madeBy: "node http.get with the fields of a WebSocket handshake",
		run: (port) => {
			const request = http.get({
				port,
				host: "127.0.0.1",
				path: "/socket",
				headers: {
					Host: "ws.example.com",
					Connection: "keep-alive, Upgrade",
					Upgrade: "websocket",
					"Sec-WebSocket-Version": "13",
					"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
				},
			});
			request.on("error", () => {});
		},
	},
	command(
		"ssh-openssh",
		[
			"ssh",
			"-o",
			"StrictHostKeyChecking=no",
			"-o",
			"UserKnownHostsFile=/dev/null",
			"-p",
			"PORT",
			"nobody@127.0.0.1",
			"true",
		],
		"SSH-2.0-recorder\r\n",
	),
	haproxy("proxy-haproxy-v1", "send-proxy"),
	haproxy("proxy-haproxy-v2", "send-proxy-v2"),
	haproxy("proxy-haproxy-v2-crc32c", "send-proxy-v2 proxy-v2-options crc32c,unique-id"),
];

function longAlpn(): string {
	return Array.from({ length: 40 }, (_, index) => `protocol-${index}`).join(",");
}

function openssl(name: string, options: readonly string[]): Capture {
	return command(name, ["openssl", "s_client", "-connect", "127.0.0.1:PORT", ...options]);
}

function command(name: string, words: readonly string[], answer?: string): Capture {
	const madeBy = words.map((word) => word.replace(scratch, "$TMP")).join(" ");
	return answer === undefined ? { name, madeBy, command: words } : { name, madeBy, command: words, answer };
}

function PYTHON_TLS(): string {
	return "import socket,ssl; c=ssl.create_default_context(); c.wrap_socket(socket.create_connection(('127.0.0.1',PORT)),server_hostname='python.example.com')";
}

function haproxy(name: string, serverOptions: string): Capture {
	return {
		name,
		madeBy: `haproxy, mode tcp, server option "${serverOptions}"`,
		run: (port) => {
			const socket = join(scratch, `${name}.cfg`);
			const front = port + 1;
			writeFileSync(
				socket,
				[
					"defaults",
					"  mode tcp",
					"  timeout client 2s",
					"  timeout server 2s",
					"  timeout connect 1s",
					"listen recorded",
					`  bind 127.0.0.1:${front}`,
					"  unique-id-format %pid-%rt",
					`  server recorder 127.0.0.1:${port} ${serverOptions}`,
					"",
				].join("\n"),
			);
			children.push(spawn("haproxy", ["-f", socket], { stdio: "ignore" }).on("error", () => {}));
			setTimeout(
				() => children.push(spawn("curl", ["-s", `http://127.0.0.1:${front}/`], { stdio: "ignore" })),
				500,
			);
		},
	};
}

const children: ChildProcess[] = [];

function quiet(socket: Socket): void {
	socket.on("error", () => {});
}

/** The first bytes of the first connection, until the client falls silent. */
async function record(capture: Capture): Promise<Buffer> {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const port = (server.address() as AddressInfo).port;
	const received = new Promise<Buffer>((resolve) => {
		setTimeout(() => resolve(Buffer.alloc(0)), 15_000).unref();
		server.on("connection", (socket) => {
			const chunks: Buffer[] = [];
			let silence: NodeJS.Timeout | undefined;
			quiet(socket);
			if (capture.answer !== undefined) socket.write(capture.answer);
			const finish = () => {
				socket.destroy();
				if (chunks.length > 0) resolve(Buffer.concat(chunks));
			};
			socket.on("data", (chunk) => {
				chunks.push(chunk);
				clearTimeout(silence);
				silence = setTimeout(finish, 300);
			});
			socket.on("end", finish);
		});
	});
	if (capture.command !== undefined) {
		const [program = "", ...words] = capture.command.map((word) => word.replaceAll("PORT", String(port)));
		children.push(spawn(program, words, { stdio: "ignore" }).on("error", () => {}));
	}
	capture.run?.(port);
	const bytes = await received;
	server.close();
	for (const child of children.splice(0)) child.kill("SIGKILL");
	return bytes;
}

const wanted = process.argv.slice(2);
for (const capture of CAPTURES) {
	if (wanted.length > 0 && !wanted.includes(capture.name)) continue;
	const bytes = await record(capture);
	if (bytes.length === 0) {
		console.log(`${capture.name}: nothing came, skipped`);
		continue;
	}
	const lines = bytes.toString("hex").replace(/.{1,64}/g, "$&\n");
	writeFileSync(new URL(`${capture.name}.hex`, SAMPLES), `# made by: ${capture.madeBy}\n${lines}`);
	console.log(`${capture.name}: ${bytes.length} bytes`);
}
rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
process.exit(0);
