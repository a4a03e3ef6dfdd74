/** What `sluice tunnel` says: a line for people on a terminal, a line of JSON where nobody watches. */
import type { AgentEvent } from "../../tunnel/agent/events.js";

/** The line, its end included. */
export function jsonLine(event: AgentEvent, now = new Date()): string {
	return `${JSON.stringify({ time: now.toISOString(), ...event })}\n`;
}

/** What came from elsewhere, without what would move the cursor or recolour the terminal. */
function plain(text: string): string {
	return text.replace(/\p{Cc}/gu, " ");
}

/** For people; what says nothing to them is empty. */
export function terminalLine(event: AgentEvent, now = new Date()): string {
	const text = plain(sentence(event));
	return text === "" ? "" : `${now.toTimeString().slice(0, 8)}  ${text}\n`;
}

function sentence(event: AgentEvent): string {
	switch (event.event) {
		case "connected":
			return `connected to ${event.gateway}`;
		case "tunnel_opened":
			return `${event.tunnel}: ${event.addresses.join(", ")} → ${event.local}`;
		case "tunnel_refused":
			return `${event.tunnel}: refused (${event.code}): ${event.why}${again(event.retry_in_ms)}`;
		case "tunnel_closed":
			return `${event.tunnel}: closed by the gateway (${event.code}): ${event.why}${again(event.retry_in_ms)}`;
		case "visitor_started":
			return `${event.tunnel}: #${event.visitor} ${event.source ?? "requests"}`;
		case "visitor_ended":
			return `${event.tunnel}: #${event.visitor} ${event.source ?? "requests"} ended, ${event.reason}: ${amount(event.bytes_from_visitor)} in, ${amount(event.bytes_to_visitor)} out, ${seconds(event.duration_ms)}`;
		case "local_failed":
			return `${event.tunnel}: ${event.local} cannot be reached: ${event.why}`;
		case "local_down":
			return `${event.tunnel}: ${event.local} is down, so that no visitor is sent: ${event.why}`;
		case "local_up":
			return `${event.tunnel}: ${event.local} is up again`;
		case "line_failed":
			return `${event.tunnel}: a line could not be opened: ${event.why}`;
		case "disconnected":
			return `disconnected: ${event.why}${again(event.retry_in_ms ?? undefined)}`;
		case "without_reactor":
			return `bytes are moved by Node's streams: ${event.why}`;
		case "inspecting":
			return `requests are shown at ${event.url}`;
		case "reloaded":
			return `reloaded: ${event.tunnels} tunnels`;
		case "reload_failed":
			return `not reloaded: ${event.why}`;
		case "draining":
			return `ending: ${event.visitors} visitors have ${seconds(event.drain_ms)}`;
		case "ended":
			return `ended: ${event.why}`;
	}
}

function again(ms: number | undefined): string {
	if (ms === undefined) return "";
	return ms === 0 ? "; again at once" : `; again in ${seconds(ms)}`;
}

function seconds(ms: number): string {
	return `${(ms / 1_000).toFixed(1)} s`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

function amount(bytes: number): string {
	let unit = 0;
	let count = bytes;
	while (count >= 1_024 && unit < UNITS.length - 1) {
		count /= 1_024;
		unit++;
	}
	return `${unit === 0 ? count : count.toFixed(1)} ${UNITS[unit]}`;
}
