import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonLine, terminalLine } from "../../src/cli/tunnel/output.js";

const AT = new Date(2026, 0, 2, 3, 4, 5);

test("a terminal is told in sentences", () => {
	const opened = terminalLine(
		{
			...{ event: "tunnel_opened", tunnel: "app", kind: "http" },
			...{ addresses: ["https://app.example.com"], local: "3000" },
		},
		AT,
	);
	assert.equal(opened, "03:04:05  app: https://app.example.com → 3000\n");
	const ended = terminalLine(
		{
			...{ event: "visitor_ended", visitor: 3, tunnel: "ssh", source: "203.0.113.7:53496" },
			...{
				bytes_from_visitor: 900,
				bytes_to_visitor: 3 * 1_048_576,
				duration_ms: 1_234,
				reason: "client_closed",
			},
		},
		AT,
	);
	assert.equal(
		ended,
		"03:04:05  ssh: #3 203.0.113.7:53496 ended, client_closed: 900 B in, 3.0 MiB out, 1.2 s\n",
	);
	const url = "http://127.0.0.1:4040";
	assert.equal(terminalLine({ event: "inspecting", url }, AT), `03:04:05  requests are shown at ${url}\n`);
	assert.match(
		terminalLine({ event: "disconnected", why: "gone", retry_in_ms: 0 }),
		/gone; again at once\n$/,
	);
	assert.match(
		terminalLine({ event: "disconnected", why: "gone", retry_in_ms: 700 }),
		/gone; again in 0.7 s\n$/,
	);
	assert.match(terminalLine({ event: "disconnected", why: "gone", retry_in_ms: null }), /gone\n$/);
});

test("what the gateway says cannot move the cursor", () => {
	const line = terminalLine({
		...{ event: "tunnel_refused", tunnel: "app", code: "name", final: true },
		why: "\x1b[2Jnot\r\nyours",
	});
	assert.match(line, /refused \(name\): {2}?\[2Jnot {2}yours\n$/);
});

test("where nobody watches, an event is a line of JSON with its time", () => {
	const line = jsonLine({ event: "connected", gateway: "gw:1", epoch: 2 }, AT);
	assert.deepEqual(JSON.parse(line), {
		...{ time: AT.toISOString(), event: "connected", gateway: "gw:1", epoch: 2 },
	});
	assert.ok(line.endsWith("\n"));
});
