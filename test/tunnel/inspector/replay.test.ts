/** Requests that are sent again. */
import assert from "node:assert/strict";
import type { Exchange } from "../../../src/tunnel/inspector/exchange.js";
import { requestBytes } from "../../../src/tunnel/inspector/replay.js";
import { startInspector, type TestInspector } from "../../support/inspector.js";
import { type Peer, startUpstream } from "../../support/peers.js";
import { scenario } from "../../support/scenario.js";
import { tunnelTo } from "../../support/tunnel-agent.js";

const GET = "GET /a HTTP/1.1\r\nHost: app.test\r\nAuthorization: Bearer abc\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async function replay(inspector: TestInspector, id = 1): Promise<number> {
	const response = await inspector.ask(`/api/exchanges/${id}/replay`, { method: "POST" });
	const answer = (await response.json()) as { id: number };
	assert.equal(response.status, 202, JSON.stringify(answer));
	return answer.id;
}

scenario("a request is sent again as it came, and its exchange is one of its own", async (scenario) => {
	const service = await startUpstream(scenario);
	const inspector = await startInspector(scenario, { local: String(service.port) });
	const POST = "POST /p HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello";
	const CHUNKED = "PUT /c HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
	const cases: readonly (readonly [string, string])[] = [
		[GET, GET],
		[POST, POST],
		[`${CHUNKED}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n`, `${CHUNKED}5\r\nabcde\r\n0\r\nX: y\r\n\r\n`],
		[`${CHUNKED}0\r\n\r\n`, `${CHUNKED}0\r\n\r\n`],
	];
	for (const [index, [request, sent]] of cases.entries()) {
		inspector.pass(request, OK);
		const [recorded] = inspector.exchanges.list() as [Exchange];
		assert.equal(requestBytes(recorded).toString(), sent);
		const id = await replay(inspector, recorded.id);
		const peer = await service.accepted(index);
		await peer.expect(sent);
		assert.deepEqual(
			[(await inspector.detail(id)).state, (await inspector.detail(id)).replay_of],
			["running", recorded.id],
		);
		await peer.send(OK.replace("200 OK", "201 Created"));
		const over = await inspector.over(id);
		assert.deepEqual([over.status, over.state, over.response?.body.text], [201, "done", "ok"]);
		// It needs the connection no more, and ends it.
		await peer.over();
		peer.end();
	}
});

scenario(
	"it is sent to where the tunnel ends now, under the name that is asked for there",
	async (scenario) => {
		const service = await startUpstream(scenario);
		const inspector = await startInspector(scenario);
		inspector.tunnel = tunnelTo("http", String(service.port), { hostHeader: "inner" });
		inspector.pass(GET, OK);
		const id = await replay(inspector);
		const peer = await service.accepted();
		await peer.expect(GET.replace("app.test", "inner"));
		peer.end("HTTP/1.1 200 OK\r\n\r\nuntil the end");
		assert.equal((await inspector.over(id)).response?.body.text, "until the end");
		peer.socket.destroy();
	},
);

scenario("how it failed is told", async (scenario) => {
	const cut = async (peer: Peer): Promise<void> => {
		await peer.take(GET.length);
		await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
		peer.reset();
	};
	const service = await startUpstream(scenario, (peer) => void cut(peer).catch(() => {}));
	const inspector = await startInspector(scenario, { local: String(service.port) });
	inspector.pass(GET, OK);
	const broken = await inspector.over(await replay(inspector));
	assert.deepEqual([broken.status, broken.state, broken.why], [200, "aborted", "upstream_reset"]);
	await service.close();
	const gone = await inspector.over(await replay(inspector));
	assert.equal(gone.state, "aborted");
	assert.match(gone.why ?? "", /^the service could not be reached: .*ECONNREFUSED/);
});

scenario("what was not recorded whole is not sent, and it says why", async (scenario) => {
	const service = await startUpstream(scenario);
	const inspector = await startInspector(scenario, { local: String(service.port) });
	const big = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n`;
	const cases: readonly (readonly [string, string, string])[] = [
		[big + "x".repeat(70_000), OK, "only the first 65536 of its content's 70000 bytes were kept"],
		[`${big}x`, "", "its request has not come whole"],
		["nonsense\r\n\r\n", "", "its request could not be read"],
		[
			"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
			"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
			"it asks for another protocol, of which nothing is kept",
		],
	];
	for (const [index, [request, answer, why]] of cases.entries()) {
		inspector.pass(request, answer);
		assert.equal((await inspector.detail(index + 1)).no_replay, why);
		const response = await inspector.ask(`/api/exchanges/${index + 1}/replay`, { method: "POST" });
		assert.deepEqual(
			[response.status, await response.json()],
			[409, { error: `it cannot be sent again: ${why}` }],
		);
	}
	assert.equal(service.peers.length, 0);
});

scenario("so many are sent again at a time; at the end of the inspector they are cut", async (scenario) => {
	const service = await startUpstream(scenario);
	const inspector = await startInspector(scenario, { local: String(service.port) });
	inspector.pass(GET, OK);
	const ids: number[] = [];
	for (let count = 0; count < 8; count++) ids.push(await replay(inspector));
	const more = await inspector.ask("/api/exchanges/1/replay", { method: "POST" });
	assert.match(((await more.json()) as { error: string }).error, /8 requests are being sent again already/);
	for (let count = 0; count < 8; count++) await (await service.accepted(count)).expect(GET);
	await inspector.close();
	for (let count = 0; count < 8; count++) await (await service.accepted(count)).over();
	for (const id of ids) assert.equal(inspector.exchanges.get(id)?.why, "drained");
});
