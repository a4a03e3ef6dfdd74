/**
 * A parked line goes to another reactor, because a visitor waits there: the kernel gives each connection to a reactor by a hash, and
 * an agent does not choose. What a row says of it travels in a message; between the two it has no row, for as long as that takes.
 */

import { f64, i32, u32 } from "../../parts/at.js";
import { lend, makeLinkRoom } from "../links/pool.js";
import type { MovedLine } from "../plan/plan.js";
import { scalarIndex } from "../records/counters.js";
import { SECURED } from "../table/marks.js";
import { type Fd, type Link, NONE } from "../table/numbers.js";
import { PROVING } from "../table/states.js";
import { releaseRow } from "../wire/hang-up.js";
import { watch } from "../wire/interest.js";
import { OPEN } from "../wire/secures.js";
import type { LinesContext } from "./context.js";
import { parkMoved } from "./park.js";

/** A line of this address is another reactor's from now on, if one is parked. */
export function giveLine(core: LinesContext, address: number, to: number): void {
	const { table, links, secures, engine } = core;
	if (core.draining) return;
	const link = lend(core, address, false);
	if (link === NONE) return;
	const place = table.placeOf(link);
	const isSecured = (i32(table.flags, link) & SECURED) !== 0;
	const line: MovedLine = {
		...{ upstream: i32(links.upstream, place), address, tunnel: u32(links.tunnel, place) },
		...{ fd: i32(table.fd, link), session: isSecured ? f64(secures.session, link) : 0 },
		...{ openedMs: f64(links.openedMs, place), uses: i32(links.uses, place) },
		leaveMs: f64(links.leaveMs, place),
	};
	engine.readiness.remove(i32(table.fd, link));
	core.wheel.cancel(link);
	core.queue.remove(link);
	links.tunnel[place] = 0;
	if (isSecured) {
		core.tls.handOver(line.session);
		secures.end(link);
		core.counters.set(TLS_SESSIONS, core.tls.live);
	}
	releaseRow(core, link);
	// What is known of it here is heard before anything of it comes from there.
	core.lineNews.tellAll(core.notify);
	core.notify({ kind: "lineGiven", to, line });
}

/** It is this reactor's from now on. Where it has no row, or its agent has gone, it ends as it would have there. */
export function takeLine(core: LinesContext, line: MovedLine): void {
	const { table, links, secures, counters } = core;
	if (line.session !== 0) core.tls.adopt(line.session);
	let link: Link = table.takeLink();
	if (link === NONE && makeLinkRoom(core)) link = table.takeLink();
	if (link === NONE) {
		if (line.session !== 0) core.tls.free(line.session);
		core.kernel.close(line.fd as Fd);
		core.lineNews.add({
			kind: "ended",
			tunnel: line.tunnel,
			was: line.leaveMs > 0 ? "retiring" : "parked",
			why: NONE,
		});
		return;
	}
	counters.add(UPSTREAM_OPENED, 1);
	core.owners.connectionOpened(line.fd, core.index, link, core.nowMs);
	table.fd[link] = line.fd as Fd;
	table.state[link] = PROVING;
	const place = table.placeOf(link);
	links.opened(place, line.upstream, line.address, line.openedMs);
	links.uses[place] = line.uses;
	links.leaveMs[place] = line.leaveMs;
	links.tunnel[place] = line.tunnel;
	secures.dialled(link, line.address, false, true, i32(core.certificates.manners, line.address));
	if (line.session !== 0) {
		secures.begin(link, line.session);
		secures.phase[link] = OPEN;
		table.flags[link] = i32(table.flags, link) | SECURED;
		counters.set(TLS_SESSIONS, core.tls.live);
	}
	parkMoved(core, link, line.address, line.tunnel, watch(core, link) >= 0);
}

const UPSTREAM_OPENED = scalarIndex("upstreamOpened");
const TLS_SESSIONS = scalarIndex("tlsSessions");
