/** What is open, and what should not be. The package's entry `sluice/diagnostics`; docs/library/diagnostics.md tells what for. */
export type { DescriptorKind } from "./diagnostics/descriptors.js";
export { LeakError, type Open, type OpenKind } from "./diagnostics/errors.js";
export { LeakCheck, type LeaksOptions, leaks, withoutLeaks } from "./diagnostics/leaks.js";
export { type MemoryBytes, type Snapshot, type SnapshotOptions, snapshot } from "./diagnostics/snapshot.js";
export { type Duration, OptionError } from "./units.js";
