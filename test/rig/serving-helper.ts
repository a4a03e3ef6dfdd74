/** A server for tests that takes orders: listens when it is told to, and then says to each client what it was told last. */
import { LinuxKernel } from "../../src/kernel/linux.js";
import { Channel } from "../../src/rig/channel.js";
import { Served } from "../../src/rig/served.js";
import { turn } from "../../src/rig/turn.js";

export type ServingOrder = { readonly say: string };
export type ServingNews = { readonly port: number };

const kernel = new LinuxKernel(4096);
const channel = new Channel<ServingOrder, ServingNews>(kernel, obey);
const served = new Served(kernel, { backlog: 16, acceptsPerTurn: 16, scratchBytes: 4096, accepted: speak });
let saying = "";

for (;;)
	turn(kernel, -1, served, (fd) => (served.isListener(fd) ? served.accept(fd) : served.take(fd)), channel);

function obey(order: ServingOrder): void {
	if (saying === "") channel.tell({ port: served.listen(1).port });
	saying = order.say;
}

function speak(fd: number): void {
	kernel.memory.set(Buffer.from(saying), 0);
	kernel.send(fd, 0, saying.length);
	served.drop(fd);
}
