/** What the log says of a listener that has been opened: what may wait there, and what to set where the kernel allows less than is asked for. */
import type { Config, ListenerConfig } from "../config/config.js";
import { DATAGRAMS_RECEIVE_BYTES, receiveBuffer } from "../kernel/datagram-sockets.js";
import { acceptQueue } from "../kernel/sockets.js";
import { isForDatagrams, type OpenListener, queuesOf } from "./listeners.js";
import type { Logger } from "./log.js";

/** Its sockets are alike. */
export function tellListening(logger: Logger, open: OpenListener, config: Config): void {
	const { config: listener, inheritedAs } = open;
	const queues = queuesOf(open);
	const [fd = -1] = queues;
	const { key, asked, effective, shortage, setting } = isForDatagrams(listener)
		? bufferOf(fd, config)
		: queueOf(fd, listener);
	const figures = {
		...{ listener: listener.name, [key]: asked, [`effective_${key}`]: effective },
		queues: queues.length,
		...(inheritedAs === undefined ? {} : { inherited: inheritedAs }),
	};
	if (effective < asked)
		logger.warn(figures, `${shortage}: ${setting} is ${effective} (sysctl -w ${setting}=${asked})`);
	else logger.info(figures, "listening");
}

/** Where that waits which nobody has taken yet. */
interface Room {
	/** As figures are called in the log. */
	readonly key: string;
	readonly asked: number;
	readonly effective: number;
	/** What it means that there is less than was asked for, and which setting of the kernel bounds it. */
	readonly shortage: string;
	readonly setting: string;
}

function queueOf(fd: number, { backlog }: ListenerConfig): Room {
	return {
		...{ key: "backlog", asked: backlog, effective: acceptQueue(fd).limit },
		shortage: "the accept queue is shorter than its backlog",
		setting: "net.core.somaxconn",
	};
}

function bufferOf(fd: number, { sockets }: Config): Room {
	return {
		key: "receive_buffer",
		asked: sockets.receiveBytes ?? DATAGRAMS_RECEIVE_BYTES,
		effective: receiveBuffer(fd),
		shortage: "bursts of datagrams find less room than is asked for",
		setting: "net.core.rmem_max",
	};
}
