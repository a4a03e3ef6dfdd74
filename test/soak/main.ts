/** `npm run soak -- tunnels [--users N] [--seconds S]`: ten minutes by default. Ends with 1 when somebody was cut off, or an end grew. */
import { parseArgs } from "node:util";
import { soakTable } from "./report.js";
import { soakTunnels } from "./tunnels.js";
import { verdictOf } from "./verdict.js";

const USAGE = "npm run soak -- tunnels [--users N] [--seconds S]";

const { positionals, values } = parseArgs({
	allowPositionals: true,
	options: { users: { type: "string", default: "50" }, seconds: { type: "string", default: "600" } },
});
const [users, seconds] = [Number(values.users), Number(values.seconds)];
if (positionals.length !== 1 || positionals[0] !== "tunnels" || !isCount(users) || !isCount(seconds)) {
	console.error(USAGE);
	process.exit(2);
}
const figures = await soakTunnels({ users, seconds });
process.stdout.write(soakTable(figures));
const problems = verdictOf(figures);
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);

function isCount(value: number): boolean {
	return Number.isInteger(value) && value > 0;
}
