/**
 * Measures what a plan needs, over loopback and within a second: what the kernel holds for an idle socket, and how many connections a core
 * accepts, and how many TLS handshakes it bears. A third of a second each; what was opened is closed, and resets leave no port in TIME_WAIT.
 */
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../../config/config.js";
import { openForUpstream } from "../../kernel/connected-datagram-sockets.js";
import { AF_INET } from "../../kernel/constants.js";
import { LinuxKernel } from "../../kernel/linux.js";
import type { PemFile } from "../../kernel/openssl/options.js";
import { newTicketKey } from "../../kernel/openssl/tickets.js";
import { WANT_READ, WANT_WRITE } from "../../kernel/openssl/tls.js";
import { Openssl } from "../../kernel/openssl.js";
import { openListener, resetDescriptor } from "../../kernel/sockets.js";
import { connect, loopback } from "../../rig/connect.js";
import { issue } from "../../rig/issue.js";
import type { Facts } from "../facts.js";
import { type Measured, median } from "./measured.js";
import { slabsOf } from "./slabs.js";

/** Milliseconds of this thread on a processor: what others do on the machine meanwhile takes nothing away from a rate. */
type Clock = () => number;

/** A quarter of a second is a few thousand connections: enough for two digits. */
const RATE_MS = 250;
/** Of TCP connections, which have two, and of UDP. */
const SOCKETS = 4_000;

/** Handshakes before code is compiled and pages are there. */
const WARM_UP = 20;

const ARENA_BYTES = 4_096;

export function measure(facts: Facts, config: Config): Measured {
	const nothing = {
		socketBytes: null,
		sockets: 0,
		datagramSocketBytes: null,
		acceptsPerSecond: null,
		handshakesPerSecond: null,
		key: "",
	};
	if (facts.noSystemCalls !== null) return { ...nothing, unmeasured: facts.noSystemCalls };
	try {
		return measureAll(facts, config);
	} catch (error) {
		return { ...nothing, unmeasured: (error as Error).message };
	}
}

function measureAll(facts: Facts, config: Config): Measured {
	const kernel = new LinuxKernel(ARENA_BYTES);
	const pairs = new Pairs(kernel);
	try {
		const { soft } = facts.limits["open files"] ?? { soft: 1_024 };
		const sockets = Math.min(SOCKETS, soft - facts.openDescriptors - 64);
		const stream = slabsOf(sockets, () => pairs.openBoth(), closeBoth(kernel));
		const datagrams = slabsOf(sockets, () => [pairs.openDatagrams()], closeBoth(kernel));
		const clock = () => kernel.threadCpu();
		const acceptsPerSecond = measureAccepts(pairs, clock);
		return {
			socketBytes: stream.bytes,
			sockets: stream.sockets,
			datagramSocketBytes: datagrams.bytes,
			acceptsPerSecond,
			...measureHandshakes(pairs, config, clock),
			unmeasured: null,
		};
	} finally {
		pairs.close();
		kernel.dispose();
	}
}

/** Connections of this process to itself. */
class Pairs {
	readonly #kernel: LinuxKernel;
	readonly #listener: number;
	readonly #address: Uint8Array;

	constructor(kernel: LinuxKernel) {
		this.#kernel = kernel;
		const { fds, port } = openListener({ address: Uint8Array.of(127, 0, 0, 1), port: 0, backlog: 128 }, 1);
		this.#listener = fds[0] as number;
		this.#address = loopback(port);
	}

	/** Both ends. Over loopback a connection is there when `connect` returns. */
	open(): { readonly client: number; readonly server: number } {
		const client = connect(this.#kernel, this.#address);
		if (client < 0) throw new Error(`connect: errno ${-client}`);
		for (let tries = 0; tries < 1_000; tries++) {
			const server = this.#kernel.accept(this.#listener, 0);
			if (server >= 0) return { client, server };
		}
		this.#kernel.close(client);
		throw new Error("a connection over loopback does not arrive");
	}

	openBoth(): readonly number[] {
		const { client, server } = this.open();
		return [client, server];
	}

	/** A socket of UDP that is connected, as a session of datagrams has one towards its upstream. */
	openDatagrams(): number {
		const fd = openForUpstream(AF_INET, false);
		if (fd < 0) throw new Error(`socket: errno ${-fd}`);
		const error = this.#kernel.connect(fd, this.#address);
		if (error === 0) return fd;
		this.#kernel.close(fd);
		throw new Error(`connect: errno ${-error}`);
	}

	reset({ client, server }: { readonly client: number; readonly server: number }): void {
		resetDescriptor(client);
		this.#kernel.close(server);
	}

	close(): void {
		this.#kernel.close(this.#listener);
	}
}

/** The first is reset, so that no port stays in TIME_WAIT. */
function closeBoth(kernel: LinuxKernel): (fds: readonly number[]) => void {
	return ([first = -1, ...others]) => {
		resetDescriptor(first);
		for (const fd of others) kernel.close(fd);
	};
}

function measureAccepts(pairs: Pairs, clock: Clock): number {
	const untilMs = performance.now() + RATE_MS;
	const startMs = clock();
	let count = 0;
	for (; performance.now() < untilMs; count++) pairs.reset(pairs.open());
	return Math.round((count * 1_000) / (clock() - startMs));
}

/** With the first certificate of the configuration, or one of the usual kind. */
function measureHandshakes(
	pairs: Pairs,
	config: Config,
	clock: Clock,
): Pick<Measured, "handshakesPerSecond" | "key"> {
	const { cert, key } = pairOf(config);
	const library = new Openssl(Buffer.alloc(1), [newTicketKey()]);
	const server = library.serverContext({ names: ["*"], cert, key, alpn: [] });
	const client = library.clientContext({ serverName: "localhost", verify: false, alpn: [] });
	const each: number[] = [];
	try {
		const untilMs = performance.now() + RATE_MS;
		while (each.length <= WARM_UP || performance.now() < untilMs) {
			const pair = pairs.open();
			each.push(shakeHands(library, clock, [server, pair.server], [client, pair.client]));
			pairs.reset(pair);
		}
	} finally {
		server.free();
		client.free();
		library.dispose();
	}
	const ownMs = median(each.slice(WARM_UP));
	return { handshakesPerSecond: ownMs === null ? null : Math.round(1_000 / ownMs), key: kindOf(key) };
}

type End = readonly [context: Parameters<Openssl["open"]>[0], fd: number];

/** Milliseconds of the server's half. */
function shakeHands(library: Openssl, clock: Clock, server: End, client: End): number {
	let ownMs = 0;
	const timed = <Result>(call: () => Result): Result => {
		const startMs = clock();
		const result = call();
		ownMs += clock() - startMs;
		return result;
	};
	const theirs = library.open(...client);
	const ours = timed(() => library.open(...server));
	try {
		let [isDone, isTheirs] = [false, false];
		for (let round = 0; !(isDone && isTheirs); round++) {
			isTheirs = isTheirs || isComplete(library, library.handshake(theirs), round);
			isDone =
				isDone ||
				isComplete(
					library,
					timed(() => library.handshake(ours)),
					round,
				);
		}
	} finally {
		timed(() => library.free(ours));
		library.free(theirs);
	}
	return ownMs;
}

/** What has been written over loopback is there at once; where it is not, a thousand looks are patient enough. */
function isComplete(library: Openssl, result: number, round: number): boolean {
	if (result === 0) return true;
	if ((result === WANT_READ || result === WANT_WRITE) && round < 1_000) return false;
	throw new Error(`a TLS handshake over loopback failed: ${library.lastReason()}`);
}

function pairOf(config: Config): { readonly cert: PemFile; readonly key: PemFile } {
	const first = config.listeners.flatMap(({ certificates }) => certificates)[0];
	const pem = (file: string): PemFile => ({ file, text: readFileSync(file, "utf8") });
	try {
		if (first !== undefined) return { cert: pem(first.certFile), key: pem(first.keyFile) };
	} catch {
		// Only the service may read it: what follows is of the usual kind.
	}
	return issue({ commonName: "localhost" });
}

function kindOf({ text }: PemFile): string {
	const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(text);
	if (asymmetricKeyType === "rsa") return `RSA ${asymmetricKeyDetails?.modulusLength ?? ""}`;
	if (asymmetricKeyType === "ec") return `ECDSA ${asymmetricKeyDetails?.namedCurve ?? ""}`;
	return asymmetricKeyType ?? "";
}
