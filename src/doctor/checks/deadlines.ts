/** Time-outs that contradict each other, or those that servers commonly have; and all else that `sluice check` warns of. */
import { headline } from "../../config/errors.js";
import { formatDuration } from "../../config/units.js";
import type { Asked } from "../asked.js";
import { type Finding, finding, inConfig } from "../finding.js";

/** nginx' and most load balancers' own; Apache has 5 s, Node 5 s, gunicorn 2 s. */
const KEPT_MS = 60_000;

export function checkDeadlines({ config, isAssumed }: Asked): Finding[] {
	if (isAssumed) return [];
	const warnings = config.warnings.map((warning) =>
		finding(
			"config.warning",
			"advice",
			headline(warning),
			"sluice check warns of it: it can be followed, but not as it was meant",
		),
	);
	return [...warnings, ...ofPools(config)];
}

function ofPools({ upstreams, file }: Asked["config"]): Finding[] {
	const why =
		"who ends an idle connection first must be the gateway, or a request may meet the server's end: it is sent once more where that is safe, and answered 502 where it is not. Node and Apache end after 5 s unless told otherwise";
	return upstreams.flatMap(({ name, http, hub }) => {
		const pool = http?.pool ?? null;
		if (pool === null || hub === true) return [];
		const found = `${name}: idle connections are kept for ${formatDuration(pool.idleMs)}`;
		if (pool.idleMs < KEPT_MS)
			return [
				finding(`deadlines.pool.${name}`, "note", `${found}; its server must keep them for longer`, why),
			];
		return [
			finding(
				`deadlines.pool.${name}`,
				"advice",
				`${found}, and most servers end them after 60 to 75 s`,
				why,
				inConfig(file, `upstreams: { ${name}: { pool: { idle: 50s } } }`),
			),
		];
	});
}
