/** Those who have not shown what they are asked for, and those who never finish. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { reasonOf } from "./harness.js";
import { NAME, PLAIN, Secured } from "./tls-peers.js";

test("whoever must show a certificate cannot do without TLS instead", (t) => {
	for (const http of [true, false]) {
		const secured = new Secured(t, {
			http,
			routes: [{ host: NAME }, {}],
			entries: [{ clientCa: PLAIN.cert }],
		});
		const { harness } = secured;
		const fd = harness.client();
		harness.send(fd, `GET / HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
		let heard: string | number = "";
		harness.turnUntil(() => {
			heard = harness.receive(fd);
			return heard !== -EAGAIN;
		}, "an answer");
		assert.match(String(heard), /^HTTP\/1\.1 4/);
		assert.equal(harness.outside.accept(secured.listener.fd, 0), -EAGAIN);
	}
});

test("who stops amid a handshake makes room like who says nothing", (t) => {
	const secured = new Secured(t, {
		sessions: 2,
		plan: { shedsWhenFull: true, connections: 2 },
	});
	const { harness } = secured;
	const stuck = [0, 1].map(() => {
		const peer = secured.peer(secured.clientContext(), harness.client());
		secured.tls.handshake(peer.session);
		peer.push();
		return peer;
	});
	for (const peer of stuck) harness.turnUntil(() => peer.pull() > 0, "a server hello");
	const client = secured.peer(secured.clientContext(), harness.client());
	client.shake();
	const records = harness.records();
	assert.deepEqual(records.map(reasonOf), ["fd_pressure"]);
});
