/** What a reactor knows of one listening socket. */
import type { CertificateNames } from "../../route/certificate-names.js";
import type { Router } from "../../route/router.js";
import type { ListenerPlan } from "../plan/plan.js";
import type { RouteRules } from "../plan/route-rules.js";

/** A listening socket of this reactor and what it needs to know for each connection. */
export interface ReactorListener {
	plan: ListenerPlan;
	router: Router;
	/** By the routes' order in the plan. */
	rules: readonly RouteRules[];
	/** Whom of its clients' names it terminates. */
	certificates: CertificateNames;
	/** Of the routes that lead to servers whose connection IDs say which one they are of: those that decide, by their order in the plan. */
	serverRoutes: readonly number[];
	/** Numbers of the policies that its sessions begin with, and that each of its routes holds them to; -1: to the same. */
	policy: number;
	routePolicies: readonly number[];
	paused: boolean;
	/** An operator has it rest. */
	rests: boolean;
	/** It is about to be closed. */
	givenUp: boolean;
	/** Connections that a turn takes from it at most, and the last turn in which it had any. */
	acceptsPerTurn: number;
	acceptTurn: number;
	/** When it was last measured how long a connection had waited to be accepted. */
	waitMeasuredMs: number;
	/** First bytes that are only peeked from now on, because some that were taken had to wait for their connect. */
	peeksFor: number;
	/** Its routes look at datagrams, or did before a reload: sessions of then may be known by connection IDs. */
	hasLooked: boolean;
	/** Datagrams that its socket has dropped, as it said last. */
	overrun: number;
	/** How much of the next line of a request is due, in millionths. */
	logDue: number;
}
