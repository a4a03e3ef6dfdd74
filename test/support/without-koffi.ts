/** Flags that make Node what `npm install --omit=optional` leaves behind. */
export const WITHOUT_KOFFI = imported(`
import Module from "node:module";
const resolve = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
	if (name !== "koffi") return resolve.call(this, name, ...rest);
	throw Object.assign(new Error("Cannot find module 'koffi'"), { code: "MODULE_NOT_FOUND" });
};`);

/** Flags that run a piece of code before the program. */
export function imported(code: string): readonly string[] {
	return ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
}
