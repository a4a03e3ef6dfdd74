import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SystemNames, type SystemNamesOptions } from "../../src/upstream/system-names.js";
import { type DnsServer, type Question, type Reply, startDns } from "../support/dns.js";

/** Names with files and a server of the test's own. */
async function setUp(
	t: TestContext,
	reply: (question: Question) => Reply,
	{ resolvConf = "", deadlineMs = 10_000 }: { resolvConf?: string; deadlineMs?: number } = {},
): Promise<{ names: SystemNames; dns: DnsServer; hosts: string; resolvConf: string; find: Find }> {
	const directory = mkdtempSync(join(tmpdir(), "sluice-names-"));
	const options = {
		hosts: join(directory, "hosts"),
		resolvConf: join(directory, "resolv.conf"),
	};
	writeFileSync(options.hosts, "10.9.9.9 listed\n");
	writeFileSync(options.resolvConf, resolvConf);
	const dns = await startDns(reply);
	const names = new SystemNames({
		...options,
		servers: [dns.address],
		deadlineMs,
	} satisfies SystemNamesOptions);
	t.after(() => {
		names.close();
		dns.close();
		rmSync(directory, { recursive: true });
	});
	const find = async (host: string): Promise<string[]> =>
		(await names.lookUp(host)).addresses.map(({ address }) => address).sort();
	return { names, dns, ...options, find };
}

type Find = (host: string) => Promise<string[]>;

/** Another file under the same name, as programs write it. */
function replace(path: string, text: string): void {
	writeFileSync(`${path}.new`, text);
	renameSync(`${path}.new`, path);
}

test("addresses of both families are found", async (t) => {
	const { find } = await setUp(t, () => ["10.0.0.1", "10.0.0.2", "fd00::1"]);
	assert.deepEqual(await find("app.test"), ["10.0.0.1", "10.0.0.2", "fd00::1"]);
});

test("each look-up asks anew", async (t) => {
	let address = "10.0.0.1";
	const { find } = await setUp(t, () => [address]);
	assert.deepEqual(await find("app.test"), ["10.0.0.1"]);
	address = "10.0.0.2";
	assert.deepEqual(await find("app.test"), ["10.0.0.2"]);
});

test("a name in the hosts file, and localhost, are not asked for", async (t) => {
	const { find, dns } = await setUp(t, () => ["10.0.0.1"]);
	assert.deepEqual(await find("Listed"), ["10.9.9.9"]);
	assert.deepEqual(await find("listed."), ["10.9.9.9"]);
	assert.deepEqual(await find("localhost"), ["127.0.0.1", "::1"]);
	assert.deepEqual(await find("app.localhost."), ["127.0.0.1", "::1"]);
	assert.deepEqual(dns.asked, []);
});

test("the hosts file is read again when it has changed, and a missing one is empty", async (t) => {
	const { find, hosts } = await setUp(t, () => ["10.0.0.1"]);
	assert.deepEqual(await find("listed"), ["10.9.9.9"]);
	replace(hosts, "10.8.8.8 listed\n");
	assert.deepEqual(await find("listed"), ["10.8.8.8"]);
	rmSync(hosts);
	assert.deepEqual(await find("listed"), ["10.0.0.1"]);
});

test("a hosts file that is none, or much too large, holds nothing up and is told", async (t) => {
	const { find, hosts } = await setUp(t, () => ["10.0.0.1"]);
	rmSync(hosts);
	execFileSync("mkfifo", [hosts]);
	await assert.rejects(find("app.test"), /hosts is not a file/);
	replace(hosts, "#".repeat(9 * 1_048_576));
	await assert.rejects(find("app.test"), /hosts is larger than 8 MiB: shorten it/);
});

test("search domains are tried in turn, also behind one whose server fails", async (t) => {
	const { find, dns } = await setUp(
		t,
		({ name }) => {
			if (name === "app.c.test") return ["10.0.0.3"];
			if (name === "app.b.test") return "SERVFAIL";
			return name === "app.bad.test" ? "rubbish" : "NXDOMAIN";
		},
		{ resolvConf: "search a.test b.test bad.test c.test\noptions attempts:1\n" },
	);
	assert.deepEqual(await find("app"), ["10.0.0.3"]);
	assert.deepEqual(
		[...new Set(dns.asked.map((question) => question.slice(2)))],
		["app.a.test", "app.b.test", "app.bad.test", "app.c.test"],
	);
	assert.deepEqual(await find("app.c.test."), ["10.0.0.3"]);
});

test("resolv.conf is read again when it has changed", async (t) => {
	const { find, resolvConf } = await setUp(t, ({ name }) =>
		name === "app.b.test" ? ["10.0.0.2"] : "NXDOMAIN",
	);
	await assert.rejects(find("app"));
	replace(resolvConf, "search b.test\n");
	assert.deepEqual(await find("app"), ["10.0.0.2"]);
});

test("a look-up says why it failed", async (t) => {
	const { find } = await setUp(
		t,
		({ name, family }) => {
			if (name.endsWith("none.test")) return "NXDOMAIN";
			if (name === "bad.test") return "rubbish";
			if (name === "empty.test") return [];
			if (name === "half.test" && family === 4) return [];
			return name === "refused.test" ? "REFUSED" : "SERVFAIL";
		},
		{ resolvConf: "search none.test\noptions attempts:1\n" },
	);
	await assert.rejects(find("none.test"), { code: "ENOTFOUND", message: /no such name/ });
	await assert.rejects(find("empty.test"), { code: "ENODATA", message: /no address/ });
	await assert.rejects(find("half.test"), { code: "ESERVFAIL" });
	await assert.rejects(find("bad.test"), { code: "EBADRESP", message: /cannot be read/ });
	await assert.rejects(find("refused.test"), { code: "EREFUSED" });
});

test("names whose server is silent keep no other from being found", async (t) => {
	const { find, names } = await setUp(t, ({ name }) => (name.startsWith("dead") ? "silence" : ["10.0.0.1"]));
	let ended = 0;
	const dead = Array.from({ length: 64 }, async (_, index) => {
		await assert.rejects(find(`dead${index}.test`));
		ended++;
	});
	for (let round = 0; round < 20; round++) assert.deepEqual(await find("good.test"), ["10.0.0.1"]);
	assert.equal(ended, 0);
	// And at the end nothing waits for them either.
	names.close();
	await Promise.all(dead);
});

test("a server is asked within the deadline, though all before it are silent", async (t) => {
	const { hosts, resolvConf, dns } = await setUp(t, () => ["10.0.0.1"]);
	const dead = await Promise.all([0, 1, 2].map(() => startDns(() => "silence")));
	const servers = [...dead, dns].map(({ address }) => address);
	const names = new SystemNames({ hosts, resolvConf, servers, deadlineMs: 4_000 });
	t.after(() => {
		names.close();
		for (const server of dead) server.close();
	});
	assert.deepEqual((await names.lookUp("app.test")).addresses, [{ address: "10.0.0.1", family: 4 }]);
	assert.ok(dead.every(({ asked }) => asked.length > 0));
});

test("a silent server is given up at the deadline, whatever resolv.conf allows", async (t) => {
	const { find } = await setUp(t, () => "silence", {
		resolvConf: "options timeout:30 attempts:5\n",
		deadlineMs: 100,
	});
	await assert.rejects(find("app.test"), { code: "ETIMEOUT", message: /in time/ });
});

test("a server that is silent about one family does not hold back what it says of the other", async (t) => {
	const { names } = await setUp(t, ({ family }) => (family === 6 ? "silence" : ["10.0.0.1"]));
	assert.deepEqual(await names.lookUp("app.test"), {
		addresses: [{ address: "10.0.0.1", family: 4 }],
		unanswered: 6,
	});
});

test("when resolv.conf changes, what is being asked for is asked again", async (t) => {
	let isSilent = true;
	const { find, dns, resolvConf } = await setUp(t, () => (isSilent ? "silence" : ["10.0.0.1"]));
	const early = find("early.test");
	while (dns.asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
	isSilent = false;
	replace(resolvConf, "options timeout:2\n");
	assert.deepEqual(await find("late.test"), ["10.0.0.1"]);
	assert.deepEqual(await early, ["10.0.0.1"]);
});
