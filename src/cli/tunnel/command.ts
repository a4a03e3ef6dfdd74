/** `sluice tunnel`, from its flags to its exit status. */
import { print } from "../../kernel/print.js";
import { endNow, problemsOf, runTunnel } from "./run.js";
import { ArgumentsError, readFlags, readTunnelsFile, type TunnelFlags } from "./settings.js";

/** Standard error has so long to take what is wrong. */
const PRINT_MS = 1_000;

export async function tunnel(
	kind: string | undefined,
	local: string | undefined,
	flags: TunnelFlags,
	version: string,
): Promise<never> {
	try {
		const { config, ...others } = flags;
		if (config === undefined) {
			if (kind === undefined)
				throw new ArgumentsError(
					"which service? sluice tunnel http 3000 …, or many of them: sluice tunnel -c FILE",
				);
			return endNow(await runTunnel(readFlags(kind, local, flags), version));
		}
		const [more] = Object.keys(others);
		if (kind !== undefined || more !== undefined)
			throw new ArgumentsError("with -c everything stands in the file, under the names of the flags");
		const asked = readTunnelsFile(config, false);
		return endNow(await runTunnel(asked, version, () => readTunnelsFile(config, true)));
	} catch (error) {
		await print(2, `${problemsOf(error)}\n`, PRINT_MS);
		return endNow(2);
	}
}
