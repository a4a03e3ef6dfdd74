/** A download over QUIC between two programs in Go, as clients and servers of QUIC are: both batch what they send, where they can. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { writeCertificate } from "../../../src/rig/certificate.js";
import { issue } from "../../../src/rig/issue.js";
import {
	type OwnedProcess,
	ownProcess,
	stopProcess,
	temporaryDirectory,
} from "../../../src/rig/processes.js";
// The bench's own peers are those of the tests: real ones, which are built once.
import { commandOf, missingPeer } from "../../../test/support/quic/programs.js";
import { Figure } from "../../figure.js";
import { LoadError } from "../../load/asking.js";
import type { UdpBench, UdpRow } from "../bench.js";
import { QUIC_NAME } from "../system.js";

const BYTES = 50_000_000;
const BYTES_QUICK = 2_000_000;
const CLIENT_MS = 60_000;
const STOP_GRACE_MS = 1_000;
const PEER = "quic-go";
const SERVER_NAME = "bench";

const bytesOf = (quick: boolean): number => (quick ? BYTES_QUICK : BYTES);

export const quicDownload: UdpRow = {
	id: "quic-download",
	describe: (quick) =>
		`a client of quic-go downloads ${bytesOf(quick) / 1e6} MB from its server, handshake and end included; Sluice routes by the name`,

	async run(bench: UdpBench) {
		const title = "QUIC download";
		const figures = [
			new Figure({
				id: "quic-download.cpu",
				title: `${title}: CPU`,
				unit: "ms per GB",
				digits: 0,
				target: null,
			}),
			new Figure({
				...{ id: "quic-download.rate", title: `${title}: rate`, unit: "MB/s", digits: 0, target: null },
				moreIsBetter: true,
			}),
		];
		const missing = missingPeer(PEER);
		if (missing !== undefined) {
			for (const figure of figures) for (const { id } of bench.systems) figure.markAbsent(id, missing);
			return figures;
		}
		const server = await startServer(bench.quicPort);
		const bytes = bytesOf(bench.quick);
		await bench.alternate("quic-download", figures, { warmUp: true }, async (system) => {
			const running = await bench.running(system);
			const { cpuNs, wallMs } = await bench.spend(running, () => download(running.listen.quic, bytes));
			return [cpuNs / 1e6 / (bytes / 1e9), bytes / 1e3 / wallMs];
		});
		await stopProcess(server, STOP_GRACE_MS);
		return figures;
	},
};

/** It ends with this process at the latest. */
async function startServer(port: number): Promise<OwnedProcess> {
	const { certFile, keyFile } = writeCertificate(
		join(temporaryDirectory(), QUIC_NAME),
		issue({ commonName: QUIC_NAME }),
	);
	const { path, args } = commandOf(PEER);
	const own = ["--listen", `127.0.0.1:${port}`, "--name", SERVER_NAME, "--cert", certFile, "--key", keyFile];
	const server = ownProcess(path, [...args, "server", ...own], { stdio: ["ignore", "pipe", "inherit"] });
	const { stdout } = server.child;
	if (stdout === null) throw new Error("a pipe was asked for");
	const lines = createInterface({ input: stdout });
	await new Promise<void>((resolve, reject) => {
		lines.once("line", () => resolve());
		void server.ended.then((how) => reject(new LoadError(`the QUIC server ended: ${how}`)));
	});
	return server;
}

async function download(port: number, bytes: number): Promise<{ wallMs: number }> {
	const startedMs = performance.now();
	const { path, args } = commandOf(PEER);
	const wanted = ["--addr", `127.0.0.1:${port}`, "--sni", QUIC_NAME, "--bytes", String(bytes)];
	const client = ownProcess(path, [...args, "client", ...wanted], { stdio: ["ignore", "pipe", "pipe"] });
	const { stdout, stderr } = client.child;
	if (stdout === null || stderr === null) throw new Error("pipes were asked for");
	const timer = setTimeout(() => client.child.kill("SIGKILL"), CLIENT_MS);
	const [how, said, complaint] = await Promise.all([client.ended, text(stdout), text(stderr)]);
	clearTimeout(timer);
	const wallMs = performance.now() - startedMs;
	const answer = how === "exit code 0" ? (JSON.parse(said) as { server: string; bytes: number }) : null;
	if (answer?.server !== SERVER_NAME || answer.bytes !== bytes)
		throw new LoadError(`the QUIC client ended with ${how}: ${said}${complaint}`);
	return { wallMs };
}
