/**
 * A process of its own: viewers of the dashboard, each of which reads its stream. Started with the admin port; a number as a message is how
 * many there are to be from then on, and each is answered when they have been told something.
 */
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";

const port = Number(process.argv[2]);
const viewers: ClientRequest[] = [];

process.on("message", (count: number) => {
	void arrange(count).then((figures) => process.send?.(figures));
});
process.on("disconnect", () => process.exit());

async function arrange(count: number): Promise<number> {
	while (viewers.length > count) viewers.pop()?.destroy();
	while (viewers.length < count) viewers.push(await view());
	return count;
}

async function view(): Promise<ClientRequest> {
	const sent = request({ host: "127.0.0.1", port, path: "/api/figures?follow=1", agent: false });
	sent.on("error", () => {});
	sent.end();
	const [response] = (await once(sent, "response")) as [IncomingMessage];
	if (response.statusCode !== 200) throw new Error(`a viewer was answered ${response.statusCode}`);
	response.on("error", () => {});
	await once(response, "data");
	response.resume();
	return sent;
}
