/** A reactor's thread. Blocked in the kernel most of the time: messages are read when the wake-up descriptor says so. */
import { once } from "node:events";
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { LinuxKernel } from "../kernel/linux.js";
import { QuicInitials } from "../kernel/openssl/quic-initials.js";
import { newTicketKey } from "../kernel/openssl/tickets.js";
import { Openssl } from "../kernel/openssl.js";
import { Profiler } from "../kernel/profiler.js";
import { INITIAL_VERSIONS } from "../protocol/quic/versions.js";
import { arenaBytes } from "./memory/arena.js";
import type { Command, Notice, ProfileStep, ReactorCommand, ReactorOptions } from "./plan/plan.js";
import { Reactor } from "./reactor.js";
import { Counters } from "./records/counters.js";
import { ThreadFigures } from "./thread-figures.js";
import type { OpenEngine } from "./wire/engine.js";
import { EpollEngine } from "./wire/epoll-engine.js";

const port = parentPort;
if (port === null) throw new Error("reactor/worker.js is started by the gateway, as a worker thread");

const notify = (notice: Notice): void => port.postMessage(notice);
notify({ kind: "loaded" });

// All files are loaded by now; the gateway may still be loading its own.
const [options] = (await once(port, "message")) as [ReactorOptions];
const profiler = new Profiler();
const kernel = new LinuxKernel(arenaBytes(options.bufferedBytes), options.epollFd);

/** One at a time: each is read from its message when it is its turn. */
function takeCommand(): ReactorCommand | undefined {
	for (;;) {
		const command = (port && (receiveMessageOnPort(port) as { message: Command } | undefined))?.message;
		// Of the thread, and not of the reactor.
		if (command?.kind !== "profile") return command;
		profile(command.what);
	}
}

function profile(what: ProfileStep): void {
	if (what === "startCpu") profiler.startCpu();
	else notify({ kind: "profiled", text: what === "heap" ? profiler.heap() : profiler.stopCpu() });
}

// Keys come with the plan; until then tickets are nobody else's.
const openTls = (memory: Uint8Array): Openssl => new Openssl(memory, [newTicketKey()]);
const openInitials = (memory: Uint8Array): QuicInitials => new QuicInitials(memory, INITIAL_VERSIONS);
const openEngine: OpenEngine = (rows) => new EpollEngine(kernel, rows);
const reactor = new Reactor(kernel, options, notify, takeCommand, openTls, openEngine, openInitials);
const figures = new ThreadFigures(new Counters(options.counters));

figures.look(kernel.now());
while (!reactor.stopped) {
	reactor.turn();
	figures.look(reactor.core.nowMs);
}

kernel.dispose();
port.close();
