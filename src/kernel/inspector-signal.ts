/**
 * At SIGUSR1 Node opens its inspector on 127.0.0.1:9229, and whoever connects there reads and runs what he likes in a
 * process that holds private keys. A handler of ours takes the signal's place, in all threads.
 */

/** For processes that are started here: flags of Node that keep the signal from it even before a handler is there. */
export const INSPECTOR_FLAGS: readonly string[] = process.allowedNodeEnvironmentFlags.has("--disable-sigusr1")
	? ["--disable-sigusr1"]
	: [];

/** From now on SIGUSR1 does nothing, until somebody listens for it as well. */
export function ignoreInspectorSignal(): void {
	process.on("SIGUSR1", () => {});
}
