/** Lines that agents of tunnels have parked: connections that wait for visitors. */
import type { Asked } from "../asked.js";
import { count, type Finding, finding, inConfig, plural } from "../finding.js";
import { sessionsByDescriptors } from "./descriptors.js";

export function checkTunnels(asked: Asked): Finding[] {
	const { tunnels, file } = asked.config;
	if (tunnels === null) return [];
	const names = tunnels.agents.reduce((sum, { names, domains }) => sum + names.length + domains.length, 0);
	const [usual, most] = [names * tunnels.lines, names * tunnels.linesMax];
	const sessions = asked.connections ?? sessionsByDescriptors(asked);
	const found = `agents may open ${plural(names, "name")}, whose tunnels park ${count(tunnels.lines)} lines each, ${count(tunnels.linesMax)} at most: ${count(usual)} to ${count(most)} lines`;
	const why =
		"a line has a descriptor, a row and, within TLS, 13 KiB, whether a visitor comes or not; a name with * may be many tunnels";
	const room = `${found}, where there is room for ${count(sessions)} sessions`;
	if (usual > sessions)
		return [
			finding(
				"tunnels.lines",
				"fails",
				room,
				why,
				inConfig(file, `tunnels: { lines: ${Math.max(1, Math.floor(sessions / 2 / names))} }`),
			),
		];
	if (most > sessions)
		return [
			finding(
				"tunnels.lines",
				"advice",
				room,
				why,
				inConfig(file, `tunnels: { lines_max: ${Math.max(tunnels.lines, Math.floor(sessions / names))} }`),
			),
		];
	return [finding("tunnels.lines", "fine", found, why)];
}
