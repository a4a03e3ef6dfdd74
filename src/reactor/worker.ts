/** A reactor's thread. Blocked in the kernel most of the time: messages are read when the wake-up descriptor says so. */
import { once } from "node:events";
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { LinuxKernel } from "../kernel/linux.js";
import { newTicketKey } from "../kernel/openssl/tickets.js";
import { Openssl } from "../kernel/openssl.js";
import { arenaBytes } from "./memory/arena.js";
import type { Command, Notice, ReactorOptions } from "./plan/plan.js";
import { Reactor } from "./reactor.js";

const port = parentPort;
if (port === null) throw new Error("reactor/worker.js is started by the gateway, as a worker thread");

// All files are loaded by now; the gateway may still be loading its own.
const [options] = (await once(port, "message")) as [ReactorOptions];
const kernel = new LinuxKernel(arenaBytes(options.bufferedBytes), options.epollFd);

/** One at a time: each is read from its message when it is its turn. */
function takeCommand(): Command | undefined {
	if (port === null) return undefined;
	return (receiveMessageOnPort(port) as { message: Command } | undefined)?.message;
}

const notify = (notice: Notice): void => port.postMessage(notice);
// Keys come with the plan; until then tickets are nobody else's.
const openTls = (memory: Uint8Array): Openssl => new Openssl(memory, [newTicketKey()]);
const reactor = new Reactor(kernel, options, notify, takeCommand, openTls);
reactor.run();
kernel.dispose();
port.close();
