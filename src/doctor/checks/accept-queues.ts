/** What becomes of clients between their SYN and accept: the queues of listeners, and what the kernel does when they are full. */
import { backlog as usualBacklog } from "../../config/defaults.js";
import { type Asked, streams } from "../asked.js";
import { numberOf } from "../facts.js";
import { count, type Finding, finding, sysctl, unknown } from "../finding.js";

export function checkAcceptQueues(asked: Asked): Finding[] {
	if (backlogs(asked).length === 0) return [];
	return [ofBacklogs(asked), ofCookies(asked), ofHalfOpen(asked), ofAbort(asked)];
}

interface Backlog {
	readonly name: string;
	readonly backlog: number;
}

/** Of all that listens on TCP. */
export function backlogs({ config }: Asked): Backlog[] {
	const listeners: Backlog[] = streams(config).map(({ name, backlog }) => ({ name, backlog }));
	if (config.tunnels !== null) listeners.push({ name: config.tunnels.name, backlog: usualBacklog });
	return listeners;
}

const SOMAXCONN = "net.core.somaxconn";

function ofBacklogs(asked: Asked): Finding {
	const why =
		"it caps every backlog in silence. One more connection than the backlog is established; of all further ones the SYN is dropped, and the client sends it again a second later, and then at growing intervals";
	const most = numberOf(asked.facts, SOMAXCONN);
	if (most === undefined) return unknown(asked.facts, "accept.somaxconn", SOMAXCONN, why);
	const all = backlogs(asked);
	const cut = all.filter(({ backlog }) => backlog > most);
	if (cut.length > 0) {
		const names = cut.map(({ name, backlog }) => `${name} asks for ${count(backlog)}`).join(", ");
		const wanted = Math.max(...cut.map(({ backlog }) => backlog));
		return finding(
			"accept.somaxconn",
			"advice",
			`${SOMAXCONN} is ${count(most)}, and ${names}`,
			`${why}. The gateway must listen anew: restart it, or send it SIGHUP`,
			sysctl(SOMAXCONN, wanted),
		);
	}
	const each = all.map(({ name, backlog }) => `${name} has ${asked.reactors} × ${count(backlog)}`);
	return finding("accept.somaxconn", "fine", `${SOMAXCONN} is ${count(most)}: ${each.join(", ")}`, why);
}

const COOKIES = "net.ipv4.tcp_syncookies";

function ofCookies({ facts }: Asked): Finding {
	const why =
		"when half-open connections fill a listener's queue, as in a SYN flood, cookies let real clients in without a place in it";
	const value = numberOf(facts, COOKIES);
	if (value === undefined) return unknown(facts, "accept.syncookies", COOKIES, why);
	if (value === 1)
		return finding("accept.syncookies", "fine", `${COOKIES} is 1: sent when a queue is full`, why);
	if (value === 2)
		return finding(
			"accept.syncookies",
			"advice",
			`${COOKIES} is 2: every connection begins with a cookie`,
			`${why}. Always, it is for tests: options that a cookie has no room for are lost where the client has no timestamps`,
			sysctl(COOKIES, 1),
		);
	return finding(
		"accept.syncookies",
		"advice",
		`${COOKIES} is ${value}: never sent`,
		why,
		sysctl(COOKIES, 1),
	);
}

const HALF_OPEN = "net.ipv4.tcp_max_syn_backlog";

function ofHalfOpen(asked: Asked): Finding {
	const { facts } = asked;
	const why =
		"half-open connections of a listener are bounded by its own backlog; this setting is asked only where syncookies are off, and then three quarters of it are for anybody";
	const value = numberOf(facts, HALF_OPEN);
	if (value === undefined) return unknown(facts, "accept.syn-backlog", HALF_OPEN, why);
	const found = `${HALF_OPEN} is ${count(value)}`;
	if (numberOf(facts, COOKIES) !== 0)
		return finding("accept.syn-backlog", "note", `${found}: not asked here`, why);
	const wanted = Math.max(...backlogs(asked).map(({ backlog }) => backlog));
	if (value >= wanted) return finding("accept.syn-backlog", "fine", found, why);
	return finding(
		"accept.syn-backlog",
		"advice",
		`${found}, syncookies are off, and a backlog is ${count(wanted)}`,
		why,
		sysctl(HALF_OPEN, wanted),
	);
}

const ABORT = "net.ipv4.tcp_abort_on_overflow";

function ofAbort({ facts }: Asked): Finding {
	const why =
		"at 1 a client whose handshake ends at a full accept queue is reset; at 0 it sends again, and is served a moment later";
	const value = numberOf(facts, ABORT);
	if (value === undefined) return unknown(facts, "accept.abort-on-overflow", ABORT, why);
	if (value === 0) return finding("accept.abort-on-overflow", "fine", `${ABORT} is 0`, why);
	return finding("accept.abort-on-overflow", "advice", `${ABORT} is ${value}`, why, sysctl(ABORT, 0));
}
