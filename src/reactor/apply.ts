/**
 * A plan comes into force: what it needs is prepared beside what is in force, in pieces, then all of it changes at once,
 * between two events; and what is no longer used is cleared away, in pieces again.
 */
import type { RouteConditions } from "../config/config.js";
import { cell } from "../parts/at.js";
import type { CertificateNames } from "../route/certificate-names.js";
import type { Pieces } from "../route/pieces.js";
import { Router } from "../route/router.js";
import { Balancer } from "../upstream/balance.js";
import type { UpstreamPlan } from "../upstream/plan.js";
import { giveUp } from "./admission/accept.js";
import type { ReactorListener } from "./admission/listener.js";
import { hasSocket, watchListener } from "./admission/listeners.js";
import type { Core } from "./core.js";
import type { HalfLimits } from "./datagrams/half-hellos.js";
import { sweepPool } from "./links/pool.js";
import { closeOwnLines } from "./own-lines/open.js";
import type { ListenerPlan, Plan, RoutePlan } from "./plan/plan.js";
import { type RouteRules, rulesOfRoutes } from "./plan/route-rules.js";
import { LISTENERS } from "./routing/hold.js";

const UPSTREAMS_PER_PIECE = 16;

/** What a listener will work with. */
interface Prepared {
	readonly plan: ListenerPlan;
	readonly router: Router;
	readonly rules: readonly RouteRules[];
	readonly certificates: CertificateNames;
	readonly serverRoutes: readonly number[];
}

/** Takes over routes, upstreams, deadlines and limits for what comes from now on. */
export function* applyPlan(core: Core, plan: Plan): Pieces {
	const prepared: Prepared[] = [];
	const named = new Set(
		plan.upstreams.filter(({ namesServers }) => namesServers === true).map(({ slot }) => slot),
	);
	for (const listener of plan.listeners) prepared.push(yield* prepare(core, listener, named));
	const upstreams = new Map<number, Balancer>();
	for (const upstream of plan.upstreams) {
		upstreams.set(upstream.slot, balancerFor(core, upstream));
		if (upstreams.size % UPSTREAMS_PER_PIECE === 0) yield;
	}
	const { added, removed } = switchTo(core, plan, prepared, upstreams);
	for (const listener of removed) {
		// Its number may be another's soon, and a visitor of these lines must not be another's.
		if (!hasSocket(listener)) closeOwnLines(core, listener.plan.slot);
		yield* giveUp(core, listener);
	}
	for (const listener of added) watchListener(core, listener);
	yield* core.certificates.forget(listenersWithNames(core), core.secures.entry);
	yield* sweepPool(core);
	core.notify({ kind: "applied", revision: plan.revision, policies: core.policies.given });
}

/** A name was resolved anew. */
export function* replaceUpstream(core: Core, plan: UpstreamPlan): Pieces {
	core.upstreams.set(plan.slot, balancerFor(core, plan));
	core.certificates.followUpstreams([...core.upstreams.values()].map((balancer) => balancer.plan));
	yield* core.certificates.forget(listenersWithNames(core), core.secures.entry);
	yield* sweepPool(core);
}

function* prepare(core: Core, plan: ListenerPlan, named: ReadonlySet<number>): Pieces<Prepared> {
	const looks = plan.readsRequests || plan.tls.length > 0;
	return {
		plan,
		router: yield* Router.build(conditionsOf(plan.routes), looks, plan.http.paths !== "as_is"),
		rules: yield* rulesOfRoutes(plan),
		certificates: yield* core.certificates.namesOf(plan),
		serverRoutes: named.size === 0 || plan.datagrams === undefined ? [] : routesTo(named, plan.routes),
	};
}

/** Those to the upstreams of a set; of each upstream none behind the first one that everybody may take. */
function routesTo(upstreams: ReadonlySet<number>, routes: readonly RoutePlan[]): number[] {
	const decided = new Set<number>();
	const found: number[] = [];
	for (const [index, { upstream, conditions }] of routes.entries()) {
		if (!upstreams.has(upstream) || decided.has(upstream)) continue;
		found.push(index);
		if (conditions.source === null) decided.add(upstream);
	}
	return found;
}

function* conditionsOf(routes: readonly RoutePlan[]): Iterable<RouteConditions> {
	for (const { conditions } of routes) yield conditions;
}

function balancerFor(core: Core, plan: UpstreamPlan): Balancer {
	return new Balancer(plan, core.board, core.upstreams.get(plan.slot)?.turn ?? core.index);
}

/** All at once: no connection sees half of it. */
function switchTo(
	core: Core,
	plan: Plan,
	prepared: readonly Prepared[],
	upstreams: Map<number, Balancer>,
): { added: ReactorListener[]; removed: ReactorListener[] } {
	core.connectionsMax = plan.connections;
	core.resetsWhenFull = plan.resetsWhenFull;
	core.shedsWhenFull = plan.shedsWhenFull;
	core.sourceLimits = { connections: plan.connectionsPerSource, perSecond: plan.acceptsPerSecondPerSource };
	core.acceptsPerSecond = plan.acceptsPerSecond;
	core.descriptorCeiling = plan.descriptorCeiling;
	core.logSessions = plan.logSessions;
	core.upstreams = upstreams;
	core.saysProxyHeaders = plan.upstreams.some(({ proxyProtocol }) => proxyProtocol !== "off");
	core.certificates.useTicketKeys(plan.ticketKeys);
	core.loops.listen(
		plan.listeners.filter(({ fd, datagrams }) => fd >= 0 && datagrams === undefined).map(({ port }) => port),
	);
	core.certificates.followUpstreams(plan.upstreams);
	core.requestRewrite.setSubjectField(plan.clientSubjectField);
	const numbers = core.policies.use(plan.policies);
	if (numbers === undefined)
		core.remark(
			"error",
			"sessions of too many reloads live: new ones get the deadlines of an earlier reload",
		);

	const datagramListeners = plan.listeners.filter(({ datagrams }) => datagrams !== undefined);
	if (datagramListeners.length > 0) core.useDatagrams(halfLimits(core, plan, datagramListeners));

	const removed = new Map(core.listeners);
	const added: ReactorListener[] = [];
	for (const each of prepared) {
		const held = heldBy(each.plan, numbers ?? core.policies.given);
		const present = core.listeners.get(each.plan.slot);
		// One that comes back has the socket, and the sessions, that it had.
		const retired = core.retired.get(each.plan.slot);
		const before = present ?? (retired?.plan.fd === each.plan.fd ? retired : undefined);
		const hasLooked = each.router.peeks || before?.hasLooked === true;
		if (present !== undefined && present.plan.fd === each.plan.fd) {
			removed.delete(each.plan.slot);
			Object.assign(present, each, held, { hasLooked });
		} else {
			added.push({
				...each,
				...held,
				paused: false,
				rests: false,
				givenUp: false,
				acceptsPerTurn: 1,
				acceptTurn: -1,
				waitMeasuredMs: Number.NEGATIVE_INFINITY,
				peeksFor: 0,
				hasLooked,
				overrun: before?.overrun ?? 0,
				logDue: 0,
			});
		}
	}
	return { added, removed: [...removed.values()] };
}

/** Bytes of one hello and its datagrams: browsers send 2,500, and the rest is for what comes twice or grows. */
const HALF_BYTES = 8_192;
/** A source has an eighth of the halves at most: behind one address there may be many clients. */
const SOURCE_SHARE = 8;
/** Of one address at once, within the milliseconds between the datagrams of a hello. */
const FEW_OF_SOURCE = 8;

/** Halves of all listeners are in one list: they wait as long as the one with the most patience says. */
function halfLimits(core: Core, plan: Plan, listeners: readonly ListenerPlan[]): HalfLimits {
	const halves = Math.ceil(plan.halfHellos / core.reactors);
	return {
		halves,
		perSource: Math.ceil(halves / SOURCE_SHARE),
		fewOfSource: FEW_OF_SOURCE,
		bytesEach: HALF_BYTES,
		timeoutMs: Math.max(...listeners.map(({ policy }) => plan.policies[policy]?.handshakeMs ?? 0)),
	};
}

/** `numbers`: of the plan's policies; where there are none for it, the first of an earlier plan. */
function heldBy(
	{ policy, routes }: ListenerPlan,
	numbers: readonly number[],
): Pick<ReactorListener, "policy" | "routePolicies"> {
	return {
		policy: numbers[policy] ?? cell(numbers, 0),
		routePolicies: routes.map((route) =>
			route.policy < 0 ? LISTENERS : (numbers[route.policy] ?? LISTENERS),
		),
	};
}

/** The plan's listeners, and removed ones that still have connections, which may ask for their names. */
function listenersWithNames(core: Core): ListenerPlan[] {
	const retired = [...core.retired.values()].filter(({ plan }) => core.places.of(plan.slot) > 0);
	return [...core.listeners.values(), ...retired].map(({ plan }) => plan);
}
