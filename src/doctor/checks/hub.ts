/** Subscribers of the hub, and the memory of its log. */
import type { Asked } from "../asked.js";
import { bytes, count, type Finding, finding, inConfig } from "../finding.js";
import { sessionsByDescriptors } from "./descriptors.js";
import { memoryLimit, PROCESS_BYTES, sessionMemoryLimit } from "./memory.js";

export function checkHub(asked: Asked): Finding[] {
	return asked.config.hub === null ? [] : [ofSubscribers(asked), ofLog(asked)];
}

function ofSubscribers(asked: Asked): Finding {
	const { config, connections } = asked;
	const most = config.hub?.limits.subscribersPerChannel ?? 0;
	const why =
		"a subscriber is a session with one descriptor; who comes to a channel that has as many as it may is sent away";
	const found = `a channel may have ${count(most)} subscribers`;
	if (connections !== null && connections > most)
		return finding(
			"hub.subscribers",
			"advice",
			`${found}, and ${count(connections)} sessions are asked for: not all of them can be in one channel`,
			why,
			inConfig(config.file, `hub: { limits: { subscribers_per_channel: ${connections} } }`),
		);
	const sessions = sessionsByDescriptors(asked);
	if (most > sessions)
		return finding(
			"hub.subscribers",
			"note",
			`${found}, and descriptors allow ${count(sessions)} sessions`,
			why,
		);
	return finding("hub.subscribers", "fine", found, why);
}

function ofLog(asked: Asked): Finding {
	const { config, facts } = asked;
	const log = config.hub?.memoryBytes ?? 0;
	const all = memoryLimit(facts);
	const others = sessionMemoryLimit(asked) + config.limits.bufferedBytes + PROCESS_BYTES;
	const why =
		"the log fills up to this, beside what sessions may hold; where both are more than there is, the kernel kills the process";
	const found = `hub.memory is ${bytes(log)}, sessions, their buffers and the process may take ${bytes(others)}, and there are ${bytes(all)}`;
	if (log + others <= all) return finding("hub.memory", "fine", found, why);
	const rest = Math.max(1, Math.floor((all - others) / 2 / 1_048_576));
	return finding(
		"hub.memory",
		log + PROCESS_BYTES > all ? "fails" : "advice",
		found,
		why,
		inConfig(config.file, `hub: { memory: ${rest}MiB }`),
	);
}
