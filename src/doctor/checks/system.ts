/** What the system has: calls of its own, IPv6, io_uring. */
import type { Asked } from "../asked.js";
import { numberOf } from "../facts.js";
import { type Finding, finding, inConfig, sysctl } from "../finding.js";

export function checkSystem(asked: Asked): Finding[] {
	return [...ofCalls(asked), ...ofIpv6(asked), ofRing(asked)];
}

function ofCalls({ facts }: Asked): Finding[] {
	const why = "the gateway's event loops make system calls themselves";
	if (facts.noSystemCalls === null)
		return [
			finding("system.calls", "fine", `Linux ${facts.kernel}, Node ${facts.node}: system calls work`, why),
		];
	return [
		finding("system.calls", "fails", facts.noSystemCalls, why, {
			now: "npm install --include=optional",
			keep: null,
		}),
	];
}

const DISABLED = "net.ipv6.conf.all.disable_ipv6";

function ofIpv6({ facts, config, isAssumed }: Asked): Finding[] {
	const what = {
		none: "there is no IPv6",
		loopback: "IPv6 is on loopback alone",
		global: "IPv6 has a global address",
	};
	const found = what[facts.ipv6];
	const why =
		"a listener on * serves IPv4 alone where there is none; one on an address of IPv6 cannot be opened";
	const listeners = config.listeners
		.filter(({ host }) => host.includes(":") && host !== "::1")
		.map(({ name }) => name);
	const upstreams = config.upstreams
		.filter(({ addresses }) =>
			addresses.some((each) => each.kind === "ip" && each.family === 6 && each.address !== "::1"),
		)
		.map(({ name }) => name);
	const mend =
		numberOf(facts, DISABLED) === 1 ? sysctl(DISABLED, 0) : inConfig(config.file, "addresses of IPv4");
	if (isAssumed || facts.ipv6 === "global")
		return [finding("system.ipv6", facts.ipv6 === "global" ? "fine" : "note", found, why)];
	if (facts.ipv6 === "none" && listeners.length > 0)
		return [
			finding("system.ipv6", "fails", `${found}, and ${listeners.join(", ")} cannot be opened`, why, mend),
		];
	if (upstreams.length > 0)
		return [
			finding(
				"system.ipv6",
				"advice",
				`${found}, and ${upstreams.join(", ")} cannot be reached by its addresses of IPv6`,
				why,
				mend,
			),
		];
	return [finding("system.ipv6", "note", found, why)];
}

function ofRing({ facts }: Asked): Finding {
	const why = "the gateway uses epoll, and needs no io_uring";
	const value = numberOf(facts, "kernel.io_uring_disabled");
	const found =
		value === undefined
			? "whether io_uring is allowed is not told by this kernel"
			: (["io_uring is allowed", "io_uring is allowed to a group alone", "io_uring is off"][value] ??
				`kernel.io_uring_disabled is ${value}`);
	return finding("system.io-uring", "note", found, why);
}
