/** What the bench asks of its generator: see asking.ts. */
import type { DialogueLatency, DialogueLoad } from "./dialogue.js";
import type { Latency } from "./latency.js";

/** By name: what is sent, and what comes back. */
export interface Commands {
	/** Opens connections and holds them. `helloBase64`: each says this first, and is answered by the backend of a name. */
	open: {
		ask: { port: number; connections: number; helloBase64?: string };
		answer: { wallMs: number };
	};
	/** Requests over the held connections, in a closed loop. `learns`: the responses have another length than the backend's, because a proxy rewrites their heads. */
	requests: { ask: { count: number; learns?: boolean }; answer: { wallMs: number } };
	/** WebSocket messages over the held connections, which are upgraded, in a closed loop; each is said back. */
	messages: { ask: { count: number }; answer: { wallMs: number } };
	/** One request over each held connection, a few at a time; or on each a WebSocket is asked for. */
	useEach: { ask: { upgrade: boolean }; answer: { wallMs: number } };
	/** Opens connections with TLS and holds them. */
	tlsOpen: { ask: { port: number; connections: number }; answer: { wallMs: number } };
	/** Requests over the held connections with TLS, in a closed loop. */
	tlsRequests: { ask: { count: number }; answer: { wallMs: number } };
	/** Closes the held connections with TLS. */
	tlsClose: { ask: Record<never, never>; answer: { wallMs: number } };
	/** Connections with TLS, one request each, ended by the backend. `resumes`: they continue an earlier session. */
	tlsSessions: {
		ask: { port: number; count: number; concurrency: number; resumes: boolean };
		answer: { wallMs: number };
	};
	/** A download over each held connection. */
	download: { ask: { bytesEach: number }; answer: { wallMs: number } };
	/** Downloads over the held connections that go on for so long, and are then given up with their connections. */
	downloadFor: { ask: { ms: number }; answer: { bytes: number; wallMs: number } };
	/** Closes the held connections. */
	close: { ask: Record<never, never>; answer: { wallMs: number } };
	/** Sessions with a connection each. */
	sessions: {
		ask: { port: number; count: number; concurrency: number; hellosBase64: readonly string[] };
		answer: { wallMs: number };
	};
	/** A connection each: something is said, it is answered, and the other side ends it. `answerBytes` null: as many as the first time. */
	visits: {
		ask: { port: number; count: number; concurrency: number; sayBase64: string; answerBytes: number | null };
		answer: { wallMs: number };
	};
	/** Paced requests to several ports. `learns`: as in `requests`. */
	latency: {
		ask: { ports: readonly number[]; connections: number; requests: number; learns?: boolean };
		answer: { latencies: readonly Latency[] };
	};
	/** Dialogues with several ports. */
	dialogues: { ask: DialogueLoad; answer: { latencies: readonly DialogueLatency[] } };
	/** Paced requests to one port, for so long. */
	latencyFor: { ask: { port: number; connections: number; ms: number }; answer: { latency: Latency } };
}
