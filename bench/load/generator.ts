/** The load generator: a process of its own, so that its CPU is nobody's. */
import { LinuxKernel } from "../../src/kernel/linux.js";
import { Places } from "../../src/rig/places.js";
import { type Answer, type Ask, obeyCommands } from "./asking.js";
import type { Commands } from "./commands.js";
import { openConnections } from "./connections.js";
import { runDialogues } from "./dialogue.js";
import { runDownload, runDownloadFor } from "./download.js";
import { greet } from "./greet.js";
import { runLatency, runLatencyFor } from "./latency.js";
import { runMessages } from "./messages.js";
import { runRequests } from "./requests.js";
import { runSessions } from "./sessions.js";
import { TlsClient } from "./tls.js";
import { useEach } from "./use-each.js";
import { ANSWER_BYTES } from "./wire.js";

const ARENA_BYTES = 1 << 20;

/** The type of a record that a ClientHello is in (RFC 8446, section 5.1). */
const TLS_HANDSHAKE = 0x16;
const RESPONSE_BEGINS = new TextEncoder().encode("HTTP/1.1 200 ");

const kernel = new LinuxKernel(ARENA_BYTES);
const tls = new TlsClient(kernel);
let held = new Places(kernel, 0);

obeyCommands<Commands>(obey, release);

function obey(ask: Ask<Commands>): Answer<Commands> {
	switch (ask.name) {
		case "open": {
			if (held.count > 0) throw new Error("connections are held already; close them first");
			const start = performance.now();
			held = new Places(kernel, ask.connections);
			openConnections(kernel, held, ask.port);
			if (ask.helloBase64 !== undefined) greet(kernel, held, bytesOf(ask.helloBase64));
			return { wallMs: performance.now() - start };
		}
		case "requests":
			return { wallMs: runRequests(kernel, held, ask.count, ask.learns === true) };
		case "messages":
			return { wallMs: runMessages(kernel, held, ask.count) };
		case "useEach":
			return { wallMs: useEach(kernel, held, ask.upgrade) };
		case "tlsOpen":
			return { wallMs: tls.open(ask.port, ask.connections) };
		case "tlsRequests":
			return { wallMs: tls.requests(ask.count) };
		case "tlsClose":
			return { wallMs: tls.close() };
		case "tlsSessions":
			return { wallMs: tls.sessions(ask) };
		case "download":
			return { wallMs: runDownload(kernel, held, ask.bytesEach) };
		case "downloadFor": {
			const start = performance.now();
			const bytes = runDownloadFor(kernel, held, ask.ms);
			const wallMs = performance.now() - start;
			release();
			return { bytes, wallMs };
		}
		case "close": {
			const start = performance.now();
			release();
			return { wallMs: performance.now() - start };
		}
		case "sessions": {
			const says = ask.hellosBase64.map((text, i) => ({ bytes: bytesOf(text), begins: Uint8Array.of(i) }));
			return { wallMs: runSessions(kernel, { ...ask, says, answerBytes: ANSWER_BYTES }) };
		}
		case "visits": {
			const bytes = bytesOf(ask.sayBase64);
			// Who speaks TLS is answered by the name's number, and who asks by a response.
			const begins = bytes[0] === TLS_HANDSHAKE ? Uint8Array.of(0) : RESPONSE_BEGINS;
			return { wallMs: runSessions(kernel, { ...ask, says: [{ bytes, begins }] }) };
		}
		case "latency":
			return { latencies: runLatency(kernel, ask) };
		case "dialogues":
			return { latencies: runDialogues(kernel, ask) };
		case "latencyFor":
			return { latency: runLatencyFor(kernel, ask.port, ask.connections, ask.ms) };
	}
}

function bytesOf(base64: string): Uint8Array {
	return Uint8Array.from(Buffer.from(base64, "base64"));
}

function release(): void {
	held.closeAll();
	held = new Places(kernel, 0);
	tls.close();
}
