/** What upstreams are told of a client's TLS by a PROXY header of version 2. */
import assert from "node:assert/strict";
import { captureHello } from "../../src/rig/hello.js";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";
import { dialTls, entry, identity } from "../support/tls.js";

/** The type-length-values of a header over IPv4, and what follows it. */
function parts(bytes: Buffer): { tlvs: Map<number, string>; rest: string } {
	const end = 16 + bytes.readUInt16BE(14);
	const tlvs = new Map<number, string>();
	for (let at = 28; at < end; at += 3 + bytes.readUInt16BE(at + 1))
		tlvs.set(bytes[at] ?? -1, bytes.toString("latin1", at + 3, at + 3 + bytes.readUInt16BE(at + 1)));
	return { tlvs, rest: bytes.toString("latin1", end) };
}

scenario(
	"the name in a hello that passes, and all of a TLS that ends here, is told to who wants it",
	async (scenario) => {
		const upstream = await startUpstream(scenario);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(identity(scenario, "here.test"), ["here.test"], "alpn: [x-test]")}]
    routes: [{ protocol: any, to: a }]
upstreams:
  a: { addresses: "${upstream.address}", proxy_protocol: v2, proxy_tlvs: [sni, alpn, tls] }
`,
		);
		const passing = await dial(scenario, gateway.port());
		passing.socket.write(await captureHello("passes.test"));
		const first = await upstream.accepted();
		const header = await first.take(16 + 12 + 3 + "passes.test".length);
		assert.deepEqual([...parts(header).tlvs], [[2, "passes.test"]]);
		const ended = await dialTls(scenario, gateway.port(), "here.test", { ALPNProtocols: ["x-test"] });
		ended.tls.write("hello");
		const second = await upstream.accepted(1);
		const { tlvs, rest } = parts(await second.take(16 + 12 + (3 + 9) + (3 + 6) + (3 + 5 + 3 + 7) + 5));
		assert.equal(rest, "hello");
		assert.deepEqual([tlvs.get(1), tlvs.get(2)], ["x-test", "here.test"]);
		// Over TLS, without a certificate of the client's.
		assert.equal(tlvs.get(0x20), "\x01\0\0\0\0\x21\0\x07TLSv1.3");
		for (const peer of [passing, first, ended, second]) peer.socket.destroy();
	},
);
