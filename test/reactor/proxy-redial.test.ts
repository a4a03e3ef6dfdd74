/** A PROXY header is taken off the client's stream once, however many addresses are tried. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { clientTls, Secured } from "./tls-peers.js";

const SENT = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const DATA = "what the client says behind its header, from its first byte to its last";

for (const proxyProtocol of ["off", "v1"] as const)
	for (const failing of [0, 1, 2])
		test(`PROXY ${proxyProtocol} to the upstream: its client's bytes come whole when ${failing} handshakes fail first`, (t) => {
			const secured = new Secured(t, { entries: [], upstreamTls: {} });
			const { harness } = secured;
			const bad = harness.upstream();
			const ports = [...Array(failing).fill(bad.port), secured.listener.port];
			secured.reload(
				{ proxyRequired: true, trusted: [{ family: 4, bytes: [127, 0, 0, 0], prefixLength: 8 }] },
				{
					addresses: ports.map((port, index) => ({
						board: index + 1,
						sockaddr: encodeInternet(Uint8Array.of(127, 0, 0, 1), port),
						hash: index,
						tls: clientTls({}),
					})),
					proxyProtocol,
				},
			);
			const client = harness.client();
			harness.send(client, SENT + DATA);
			const dialled: string[] = [];
			const header = (fd: number) => {
				if (proxyProtocol === "off") return;
				let text: string | number = -EAGAIN;
				harness.turnUntil(() => {
					// One line, and nothing of the handshake behind it.
					text = harness.receive(fd, SENT.length);
					return text !== -EAGAIN;
				}, "a header");
				dialled.push(String(text));
			};
			let accepted = -EAGAIN;
			harness.turnUntil(() => {
				const fd = harness.outside.accept(bad.fd, 0);
				if (fd >= 0) {
					header(fd);
					harness.outside.close(fd);
				}
				accepted = harness.outside.accept(secured.listener.fd, 0);
				return accepted >= 0;
			}, "a dial of the one that can shake hands");
			header(accepted);
			const upstream = secured.peer(secured.serverContext(), harness.adopt(accepted));
			let heard = "";
			harness.turnUntil(() => {
				secured.tls.handshake(upstream.session);
				upstream.carry();
				const part = upstream.hear();
				if (typeof part === "string") heard += part;
				return heard.length >= DATA.length;
			}, "the client's bytes");
			assert.equal(heard, DATA);
			assert.deepEqual(new Set(dialled), new Set(proxyProtocol === "off" ? [] : [SENT]));
		});
