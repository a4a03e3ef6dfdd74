/**
 * `sluice demo`: a gateway with upstreams of its own, on free loopback ports. Everything goes through one
 * listener; the commands it prints show TLS, HTTP and SSH arriving there and being routed by name, and a page that comes through a
 * tunnel, whose agent runs in this process.
 */
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { loadConfigText } from "../config/load.js";
import { Gateway } from "../gateway/gateway.js";
import { packageVersion } from "../gateway/version.js";
import { print } from "../kernel/print.js";
import { Agent } from "../tunnel/agent/agent.js";
import { parseLocal } from "../tunnel/agent/schema.js";
import { newToken, readToken } from "../tunnel/keys.js";
import { DEMO_CERTIFICATE, DEMO_KEY } from "./demo-certificate.js";
import { endOnFailure, endOnFault, endUnstarted } from "./end.js";
import { listenForSignals } from "./signals.js";

export interface Demo {
	readonly gateway: Gateway;
	readonly port: number;
	readonly adminPort: number;
	close(): Promise<void>;
}

/** Runs until Ctrl-C, or for so many seconds. */
export async function demo(seconds?: number): Promise<void> {
	const signals = listenForSignals();
	endOnFault();
	const running = await startDemo().catch(endUnstarted);
	void endOnFailure(running.gateway);
	// The demo runs whether anybody reads them or not.
	void print(1, instructions(running));
	// Its configuration is built in, so there is nothing to read again.
	signals.attach(running.gateway, () => {});
	if (seconds === undefined) return;
	setTimeout(() => process.kill(process.pid, "SIGTERM"), seconds * 1000);
}

/** Starts the demo's upstreams and its gateway. */
export async function startDemo(): Promise<Demo> {
	const blue = await listen(tlsUpstream("blue"));
	const green = await listen(tlsUpstream("green"));
	const web = await listen(httpUpstream());
	const ssh = await listen(sshUpstream());
	const home = await listen(homeServer());
	const upstreams = [blue, green, web, ssh, home];
	const identity = readToken(newToken("home"));
	const publicKey = Buffer.from(identity.publicKey).toString("base64url");
	const gateway = await Gateway.start(
		loadConfigText(`
admin: 127.0.0.1:0
reactors: 1
limits: { connections: 64 }
timeouts: { drain: 1s }
log: { level: info, format: auto }
tunnels:
  listen: 127.0.0.1:0
  insecure: true
  domain: tunnel.test
  agents: [{ id: home, public_key: "${publicKey}", names: [home] }]
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: blue.demo.test, to: blue }
      - { sni: "*.demo.test", to: green }
      - { host: www.demo.test, to: web }
      - { protocol: ssh, to: ssh }
      - { host: "*.tunnel.test", to: tunnels }
upstreams:
  blue: 127.0.0.1:${portOf(blue)}
  green: 127.0.0.1:${portOf(green)}
  web: 127.0.0.1:${portOf(web)}
  ssh: 127.0.0.1:${portOf(ssh)}
`),
	);
	const agent = new Agent(
		{
			gateway: { host: "127.0.0.1", port: gateway.listeners[1]?.port ?? 0 },
			...{ identity, trust: {}, insecure: true, proxy: undefined, drainMs: 0, retryMaxMs: 1_000 },
			tunnels: [{ kind: "http", name: "home", local: parseLocal(`127.0.0.1:${portOf(home)}`) }],
		},
		{ report: () => {}, version: `sluice/${packageVersion()}` },
	);
	agent.start();
	return {
		gateway,
		port: gateway.listeners[0]?.port ?? 0,
		adminPort: gateway.adminPort ?? 0,
		close: async () => {
			agent.end("the demo is over");
			await agent.ended;
			await gateway.stop();
			for (const server of upstreams) server.close();
		},
	};
}

function tlsUpstream(name: string): Server {
	return createTlsServer({ key: DEMO_KEY, cert: DEMO_CERTIFICATE }, (socket) => {
		socket.on("error", () => socket.destroy());
		socket.once("data", () => {
			const body = `hello from the ${name} upstream, over TLS that only it can read (you asked for ${String(socket.servername)})\n`;
			socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
		});
	});
}

function httpUpstream(): Server {
	return createHttpServer((request, response) => {
		response.end(
			`hello from the web upstream, over plain HTTP (you asked for ${String(request.headers.host)})\n`,
		);
	});
}

/** What an agent makes reachable. */
function homeServer(): Server {
	return createHttpServer((_, response) => {
		response.end("hello from a server that only its agent can reach, through a tunnel\n");
	});
}

/** Speaks like an SSH server as far as its banner, and says so. */
function sshUpstream(): Server {
	return createServer((socket: Socket) => {
		socket.on("error", () => socket.destroy());
		socket.write("SSH-2.0-sluice_demo\r\n");
		socket.once("data", (data) => {
			const banner = data.toString("latin1").split("\r\n", 1)[0];
			socket.end(`the ssh upstream got your banner: ${banner}\r\n`);
		});
	});
}

async function listen(server: Server): Promise<Server> {
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(0, "127.0.0.1", resolve);
	});
	// The gateway keeps the demo alive, not its upstreams.
	server.unref();
	return server;
}

function portOf(server: Server): number {
	return (server.address() as AddressInfo).port;
}

function instructions({ port, adminPort }: Demo): string {
	const name = (host: string) => `--connect-to ${host}:127.0.0.1:${port}`;
	return `
Sluice is running on 127.0.0.1:${port}, one port for everything. Try:

  curl -sk ${name("blue.demo.test:443")} https://blue.demo.test/
      TLS, routed by its server name: "hello from the blue upstream …"
  curl -sk ${name("other.demo.test:443")} https://other.demo.test/
      another name, the route "*.demo.test": "hello from the green upstream …"
  openssl s_client -connect 127.0.0.1:${port} -servername blue.demo.test -brief </dev/null
      the certificate is the upstream's own; Sluice holds no key
  curl -s ${name("www.demo.test:80")} http://www.demo.test/
      plain HTTP, routed by its Host: "hello from the web upstream …"
  curl -s ${name("home.tunnel.test:80")} http://home.tunnel.test/
      a name that an agent holds: "hello from a server that only its agent can reach …"
  printf 'SSH-2.0-me\\r\\n' | nc 127.0.0.1 ${port}
      an SSH banner: "the ssh upstream got your banner: SSH-2.0-me"
  openssl s_client -connect 127.0.0.1:${port} -servername nobody.test -brief </dev/null
      no route: "unrecognized name", and the log below says why
  curl -s http://127.0.0.1:${adminPort}/metrics | grep sessions_closed_total
      what became of each of these sessions
  http://127.0.0.1:${adminPort}/
      the dashboard, for a browser: what there is now, and all that can be done with it

Each session's log line follows here when it ends. Ctrl-C ends the demo.

`;
}
