/** A borrower that forgets its lease, in a process of its own that may call the garbage collector; pool.test.ts runs it. */
import { type Holder, Pool } from "../../src/guard/pool.js";

const leaks: Holder[] = [];
const destroyed: [number, string][] = [];
let ids = 0;

const pool = new Pool<{ readonly id: number }>({
	create: () => ({ id: ++ids }),
	destroy: ({ id }, reason) => destroyed.push([id, reason]),
	max: 1,
	trace: true,
	onLeak: (holder) => leaks.push(holder),
});

async function forget(): Promise<void> {
	await pool.acquire();
}
await forget();

const next = pool.acquire();
while (leaks.length === 0) {
	globalThis.gc?.();
	await new Promise((resolve) => setImmediate(resolve));
}
const lease = await next;
console.log(JSON.stringify({ leaks, resource: lease.value.id, destroyed }));
lease.release();
