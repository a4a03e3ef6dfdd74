/** `sluice doctor`: looks at the machine, and says what stands in the way. */
import { CONNECTIONS_MAX } from "../config/bounds.js";
import { diagnose } from "../doctor/doctor.js";
import { print } from "../kernel/print.js";

export interface DoctorFlags {
	readonly config?: string;
	readonly connections?: string;
	readonly json?: boolean;
}

/** Returns the exit status: 0, 1 where there is advice, 2 where something will fail, or was not understood. */
export async function doctor({ connections, ...options }: DoctorFlags): Promise<number> {
	const wanted = connections === undefined ? undefined : numberIn(connections);
	if (wanted === null) {
		await print(
			2,
			`sluice doctor: --connections "${connections}" is no number of sessions: a whole one from 1 to ${CONNECTIONS_MAX}\n`,
		);
		return 2;
	}
	const { status, text } = await diagnose({
		...options,
		...(wanted === undefined ? {} : { connections: wanted }),
	});
	const lost = await print(1, text);
	if (lost === undefined) return status;
	await print(2, `sluice doctor: standard output cannot be written: ${lost}\n`);
	return 2;
}

/** `10000`, also as people write it: `10_000` and `10,000`. */
function numberIn(text: string): number | null {
	const digits = text.replaceAll(/(?<=\d)[_,](?=\d{3}(\D|$))/g, "");
	const amount = /^\d{1,9}$/.test(digits) ? Number(digits) : 0;
	return amount >= 1 && amount <= CONNECTIONS_MAX ? amount : null;
}
