/** The kernel's keepalive, which connections of the gateway do not use. */
import type { Asked } from "../asked.js";
import { numberOf } from "../facts.js";
import { type Finding, finding, inConfig } from "../finding.js";

const RETRIES = "net.ipv4.tcp_retries2";
/** As long as a minute and a half of retransmissions. */
const RETRIES_MIN = 8;

export function checkKeepalive({ facts, config }: Asked): Finding[] {
	const { idleSeconds, intervalSeconds, probes } = config.keepalive;
	const [time, interval, count] = ["time", "intvl", "probes"].map((name) =>
		numberOf(facts, `net.ipv4.tcp_keepalive_${name}`),
	);
	const theirs =
		time === undefined ? "the kernel's" : `the kernel's (${time} s, ${interval ?? "?"} s × ${count ?? "?"})`;
	const own = finding(
		"keepalive.own",
		"note",
		`${theirs} do not matter: each connection has the gateway's, ${idleSeconds} s, then ${intervalSeconds} s × ${probes}`,
		"net.ipv4.tcp_keepalive_* hold for sockets that say nothing; keepalive of the configuration says it for all of ours",
	);
	const retries = numberOf(facts, RETRIES);
	const isOff = config.listeners.some(({ deadlines }) => deadlines.userTimeoutMs === 0);
	if (retries === undefined || !isOff || retries >= RETRIES_MIN) return [own];
	return [
		own,
		finding(
			"keepalive.retries",
			"advice",
			`${RETRIES} is ${retries}, and no user_timeout is set`,
			"a peer is given up after so many retransmissions: a phone between two cells is cut off",
			inConfig(config.file, "keepalive: { user_timeout: 90s }"),
		),
	];
}
