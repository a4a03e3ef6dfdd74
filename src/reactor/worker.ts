/** A reactor's thread. Blocked in the kernel most of the time: messages are read when the wake-up descriptor says so. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { LinuxKernel } from "../kernel/linux.js";
import { arenaBytes } from "./core.js";
import type { Command, Notice, ReactorOptions } from "./plan.js";
import { Reactor } from "./reactor.js";

const port = parentPort;
if (port === null) throw new Error("reactor/worker.js is started by the gateway, as a worker thread");

const options = workerData as ReactorOptions;
const kernel = new LinuxKernel(arenaBytes(options.bufferedBytes));

function* takeCommands(): Iterable<Command> {
	if (port === null) return;
	for (;;) {
		const received = receiveMessageOnPort(port) as { message: Command } | undefined;
		if (received === undefined) return;
		yield received.message;
	}
}

const notify = (notice: Notice): void => port.postMessage(notice);
const reactor = new Reactor(kernel, options, notify, takeCommands);
reactor.run();
kernel.dispose();
port.close();
