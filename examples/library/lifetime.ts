/** A connection that starts timers, tasks and a child, and leaves none of them behind. */
import { setTimeout as wait } from "node:timers/promises";
import { Lifetime } from "sluice/lifetime";

const life = new Lifetime({ name: "connection" });
life.signal.addEventListener("abort", () => console.log("the signal says:", life.reason));
life.setInterval(() => console.log("ping"), "20ms");
life.own(() => console.log("the file is closed"));
void life.run(async (signal) => {
	await wait(60_000, undefined, { signal }).catch(() => console.log("the task has heard it"));
});

// What arrives too late is given back.
const database = life.acquire(wait(100, "a database connection"), (late) => console.log("given back:", late));
life.setTimeout(() => void life.end("idle_timeout"), "70ms");

await database.catch((error: Error) => console.log(error.message));
console.log(await life.end());
await wait(60);
