/** A real ClientHello, as this Node's OpenSSL sends it. Where nobody decrypts, its first flight is all that is needed. */
import { Duplex } from "node:stream";
import { connect, type SecureVersion } from "node:tls";

/** The bytes of the first flight of a TLS client that asks for `serverName`, and offers to speak these. */
export function captureHello(
	serverName: string,
	maxVersion: SecureVersion = "TLSv1.3",
	ALPNProtocols: string[] = ["h2", "http/1.1"],
): Promise<Uint8Array> {
	return new Promise((resolve, reject) => {
		const wire = new Duplex({
			read() {},
			write(chunk: Buffer, _encoding, done) {
				resolve(Uint8Array.from(chunk));
				done();
			},
		});
		// The hello is written before connect() returns; nothing else will ever happen here.
		connect({ socket: wire, servername: serverName, maxVersion, ALPNProtocols })
			.on("error", reject)
			.destroy();
	});
}
