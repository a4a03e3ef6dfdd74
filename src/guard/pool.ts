/** A pool of resources of which none is lost. The package's entry `sluice/pool`; docs/library/pool.md tells what for. */
export { LeaseReturned, PoolClosed, PoolExhausted, type PoolState, PoolTimeout } from "./pool/errors.js";
export { type Holder, Lease } from "./pool/lease.js";
export {
	type AcquireOptions,
	DESTROY_REASONS,
	type DestroyReason,
	type PoolCloseOptions,
	type PoolOptions,
} from "./pool/options.js";
export { Pool } from "./pool/pool.js";
export type { PoolClosing, PoolStats } from "./pool/stats.js";
export { type Duration, OptionError } from "./units.js";
