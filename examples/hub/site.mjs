/**
 * A service behind the hub of examples/hub.yaml: it serves the page of this folder, and publishes ten prices a second. It knows no
 * subscriber, and does the same for one as for thousands.
 *
 *     PORT=3000 ADMIN=http://127.0.0.1:9090 node examples/hub/site.mjs
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { setTimeout as wait } from "node:timers/promises";

const { PORT = "3000", ADMIN = "http://127.0.0.1:9090" } = process.env;
const EVERY_MS = 100;
/** The page makes out by it that the counter begins anew. */
const RUN = Date.now();

const FILES = {
	"/": ["index.html", "text/html; charset=utf-8"],
	"/page.js": ["page.js", "text/javascript"],
	"/chart.js": ["chart.js", "text/javascript"],
	"/subscribe.js": ["subscribe.js", "text/javascript"],
};

const server = createServer(async ({ url = "/" }, response) => {
	const [name, type] = FILES[url.split("?")[0]] ?? [];
	if (name === undefined) response.writeHead(404).end("no such page\n");
	else response.writeHead(200, { "content-type": type }).end(await readFile(new URL(name, import.meta.url)));
});
server.listen(Number(PORT), "127.0.0.1", () => {
	console.log(`the page: port ${server.address().port}; prices: ${ADMIN}/api/hub/prices`);
});

/** Throws where it was not published. */
async function publish(channel, message) {
	const answer = await fetch(`${ADMIN}/api/hub/${channel}`, {
		method: "POST",
		// Who changes something says who he is. A token of the admin port would stand here, too: authorization: "Bearer …"
		headers: { "content-type": "application/json", "sluice-operator": "examples/hub/site.mjs" },
		body: JSON.stringify(message),
	});
	const { id, error } = await answer.json();
	if (!answer.ok) throw new Error(error);
	return id;
}

let price = 100;
let trouble = "";
for (let n = 1; ; await wait(EVERY_MS)) {
	price = Math.max(1, price + (Math.random() - 0.5) * 2);
	try {
		await publish("prices", { run: RUN, n, at: Date.now(), price: Number(price.toFixed(2)) });
		n++;
		trouble = "";
	} catch ({ message, cause }) {
		const why = cause?.message ?? message;
		if (why !== trouble) console.error(`not published: ${why}`);
		trouble = why;
	}
}
