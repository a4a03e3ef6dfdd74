import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHosts } from "../../src/upstream/hosts.js";

test("each name of a line has its address, and a name in several lines all of them", () => {
	const hosts = parseHosts(
		"127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # loopback\n 10.0.0.5  App.Internal. app\r\n10.0.0.6 app",
	);
	assert.deepEqual(Object.fromEntries(hosts), {
		localhost: [
			{ address: "127.0.0.1", family: 4 },
			{ address: "::1", family: 6 },
		],
		"ip6-localhost": [{ address: "::1", family: 6 }],
		"app.internal": [{ address: "10.0.0.5", family: 4 }],
		app: [
			{ address: "10.0.0.5", family: 4 },
			{ address: "10.0.0.6", family: 4 },
		],
	});
});

test("comments, empty lines and what is no address say nothing", () => {
	assert.equal(parseHosts("# 10.0.0.1 a\n\n10.0.0 b\nfe80::1%eth0 c\n10.0.0.1\nx y\n").size, 0);
});
