/**
 * What one writes first to terminate TLS in Node. Arguments: certificate and key, then two lists of pairs of
 * listening port and upstream port, `1,2,3,4`: with TLS, and without.
 */
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

const [certFile = "", keyFile = "", withTls = "", plain = ""] = process.argv.slice(2);
const identity = { cert: readFileSync(certFile), key: readFileSync(keyFile) };

for (const [port, upstreamPort] of pairs(withTls))
	createTlsServer(
		{ ...identity, minVersion: "TLSv1.3", ciphers: "TLS_AES_128_GCM_SHA256", noDelay: true },
		passTo(upstreamPort),
	).listen({
		...{ host: "127.0.0.1", port, backlog: 4096 },
	});
for (const [port, upstreamPort] of pairs(plain))
	createServer({ noDelay: true }, passTo(upstreamPort)).listen({ host: "127.0.0.1", port, backlog: 4096 });

function passTo(port: number): (downstream: Socket) => void {
	return (downstream) => {
		const upstream = connect({ host: "127.0.0.1", port, noDelay: true });
		const end = (): void => {
			downstream.destroy();
			upstream.destroy();
		};
		downstream.on("error", end).pipe(upstream);
		upstream.on("error", end).pipe(downstream);
	};
}

function pairs(list: string): [number, number][] {
	const numbers = list.split(",").map(Number);
	return numbers.flatMap((number, i): [number, number][] =>
		i % 2 === 0 ? [[number, numbers[i + 1] as number]] : [],
	);
}
