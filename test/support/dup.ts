/** dup2(2), with which a test puts another file behind a number. The gateway has no use for it. */
import koffi from "koffi";

const call = koffi.load(null).func("dup2", "int", ["int", "int"]);

export function dup2(from: number, to: number): void {
	const result = call(from, to) as number;
	if (result !== to) throw new Error(`dup2(${from}, ${to}) gave ${result}`);
}
