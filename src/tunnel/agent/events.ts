/** What an agent tells, in the order in which it happens. Each is a line of JSON where nobody watches. */
import type { Reason } from "../../parts/reasons.js";
import type { TunnelCode, TunnelKind } from "../../protocol/tunnel/index.js";

export type AgentEvent =
	| { readonly event: "connected"; readonly gateway: string; readonly epoch: number }
	| {
			readonly event: "tunnel_opened";
			readonly tunnel: string;
			readonly kind: TunnelKind;
			readonly addresses: readonly string[];
			readonly local: string;
	  }
	| {
			/** Refused, or closed by the gateway; tried again unless it is final. */
			readonly event: "tunnel_refused" | "tunnel_closed";
			readonly tunnel: string;
			readonly code: TunnelCode;
			readonly why: string;
			readonly final: boolean;
			readonly retry_in_ms?: number;
	  }
	| {
			/** On a line of requests, a visitor is the gateway, and has no address of its own. */
			readonly event: "visitor_started";
			readonly visitor: number;
			readonly tunnel: string;
			readonly source: string | null;
	  }
	| {
			readonly event: "visitor_ended";
			readonly visitor: number;
			readonly tunnel: string;
			readonly source: string | null;
			readonly bytes_from_visitor: number;
			readonly bytes_to_visitor: number;
			readonly duration_ms: number;
			readonly reason: Reason;
	  }
	| { readonly event: "local_failed"; readonly tunnel: string; readonly local: string; readonly why: string }
	| {
			/** The check of the local service says so: no visitor comes, until it is up. */
			readonly event: "local_down";
			readonly tunnel: string;
			readonly local: string;
			readonly why: string;
	  }
	| { readonly event: "local_up"; readonly tunnel: string; readonly local: string }
	| { readonly event: "line_failed"; readonly tunnel: string; readonly why: string }
	| {
			/** The control connection ended, or did not come to be. */
			readonly event: "disconnected";
			readonly why: string;
			/** `null`: it does not connect again. */
			readonly retry_in_ms: number | null;
	  }
	/** A reactor could not be started, or has failed: Node's streams move the bytes. */
	| { readonly event: "without_reactor"; readonly why: string }
	/** Where its inspector is. */
	| { readonly event: "inspecting"; readonly url: string }
	| { readonly event: "reloaded"; readonly tunnels: number }
	| { readonly event: "reload_failed"; readonly why: string }
	| { readonly event: "draining"; readonly visitors: number; readonly drain_ms: number }
	| { readonly event: "ended"; readonly why: string; readonly status: number };

export type Report = (event: AgentEvent) => void;
