/** A pool of resources of which none is lost. The package's entry `sluice/pool`; docs/library/pool.md tells what for. */
export { LeaseReturned, PoolClosed, PoolExhausted, type PoolState, PoolTimeout } from "./pool/errors.js";
export { type Holder, Lease } from "./pool/lease.js";
export { DESTROY_REASONS, type DestroyReason, type PoolOptions } from "./pool/options.js";
export {
	type AcquireOptions,
	Pool,
	type PoolCloseOptions,
	type PoolClosing,
	type PoolStats,
} from "./pool/pool.js";
export { type Duration, OptionError } from "./units.js";
