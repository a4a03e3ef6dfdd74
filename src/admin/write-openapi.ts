/** Writes the OpenAPI description into a file, for whoever makes clients from it. Argument: the file. */
import { writeFileSync } from "node:fs";
import { openApi } from "./openapi.js";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: write-openapi.js FILE");
writeFileSync(file, `${JSON.stringify(openApi(), undefined, "\t")}\n`);
