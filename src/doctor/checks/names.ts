/** Names in the configuration: whether they resolve, and how long that took. */
import type { Asked } from "../asked.js";
import type { NameFact } from "../facts.js";
import { count, type Finding, finding } from "../finding.js";

/** Sessions do not wait for it, but a start does. */
const SLOW_MS = 1_000;

export function checkNames({ facts, config, isAssumed }: Asked): Finding[] {
	if (isAssumed || (facts.names.length === 0 && facts.namesLeftOut === 0)) return [];
	const why =
		"a start waits for names; one that cannot be resolved leaves its upstream without that address until it can";
	const hasOther = (upstream: string): boolean => {
		const addresses = config.upstreams.find(({ name }) => name === upstream)?.addresses ?? [];
		return addresses.some(
			(address) =>
				address.kind !== "name" ||
				facts.names.some(({ host, error }) => host === address.host && error === null),
		);
	};
	const findings = facts.names.map((name) => {
		const id = `names.${name.host}`;
		if (name.error !== null) {
			const isLast = name.upstreams.some((upstream) => !hasOther(upstream));
			return finding(
				id,
				isLast ? "fails" : "advice",
				`${name.host} (${name.upstreams.join(", ")}) cannot be resolved: ${name.error}, after ${count(name.tookMs)} ms`,
				why,
				{ now: `getent ahosts ${name.host}`, keep: { file: "/etc/resolv.conf", text: "nameserver …" } },
			);
		}
		const found = `${name.host} (${name.upstreams.join(", ")}): ${addressesOf(name)}, in ${count(name.tookMs)} ms`;
		if (name.tookMs < SLOW_MS) return finding(id, "fine", found, why);
		return finding(id, "advice", found, `${why}. The first server of resolv.conf may be silent`, {
			now: `getent ahosts ${name.host}`,
			keep: { file: "/etc/resolv.conf", text: "options timeout:1 attempts:2" },
		});
	});
	if (facts.namesLeftOut > 0)
		findings.push(
			finding("names.more", "note", `${count(facts.namesLeftOut)} more names were not asked for`, why),
		);
	return findings;
}

function addressesOf({ addresses }: NameFact): string {
	const shown = addresses.slice(0, 4).join(", ");
	return addresses.length > 4 ? `${shown} and ${addresses.length - 4} more` : shown;
}
