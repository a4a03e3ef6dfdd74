/** What the inspector's API answers: the shapes that its page reads, too. Times are milliseconds. */

/**
 * `running`: something of it is to come. `upgraded`: what passes is no HTTP any more. `done`. `aborted`: its connection ended
 * amid it. `lost`: what passes is not understood; it goes on unseen.
 */
export type ExchangeState = "running" | "upgraded" | "done" | "aborted" | "lost";

/** An exchange in the list, and in events. */
export interface Summary {
	readonly id: number;
	/** Higher after each change: of two pictures of an exchange the one with the higher number is the newer. */
	readonly revision: number;
	readonly tunnel: string;
	/** The exchange whose request was sent again. */
	readonly replay_of: number | null;
	/** Empty when the request could not be read. */
	readonly method: string;
	/** At most 512 characters, the last of them `…` where there are more. */
	readonly target: string;
	readonly host: string;
	/** `null`: no answer yet. */
	readonly status: number | null;
	readonly state: ExchangeState;
	/** Why it is aborted or lost, or was answered by the agent. */
	readonly why: string | null;
	/** ISO 8601. */
	readonly began: string;
	/** From there to the first byte of the answer, and to the end of both. */
	readonly first_byte_ms: number | null;
	readonly duration_ms: number | null;
	/** Of the contents, without the framing of chunks. */
	readonly request_bytes: number;
	readonly response_bytes: number;
	/** What is spoken since the upgrade, and how many bytes have passed. */
	readonly upgrade: UpgradeView | null;
}

export interface UpgradeView {
	readonly protocol: string;
	readonly bytes_from_visitor: number;
	readonly bytes_to_visitor: number;
}

export interface ListAnswer {
	/** The newest first. */
	readonly exchanges: readonly Summary[];
	readonly bounds: {
		readonly exchanges: number;
		readonly body_bytes: number;
		readonly total_bytes: number;
	};
	/** Of `total_bytes`. */
	readonly kept_bytes: number;
	/** Who is told of changes now. */
	readonly viewers: number;
}

export interface FieldView {
	readonly name: string;
	/** `null`: it is a secret, and was not asked for. */
	readonly value: string | null;
	readonly secret: boolean;
}

export interface BodyView {
	/** What passed, and how much of it, from the start, is kept. */
	readonly bytes: number;
	readonly kept_bytes: number;
	/** Content-Type and Content-Encoding, as they came. */
	readonly type: string;
	readonly encoding: string;
	/** What is shown: of the kept bytes, unpacked. `binary` is asked for by `…/body`. */
	readonly kind: "empty" | "json" | "form" | "text" | "binary";
	readonly text: string | null;
	/** JSON with line breaks, a form with a line for each entry. */
	readonly pretty: string | null;
	/** Not all of it is in `text`. */
	readonly cut: boolean;
	/** Why it could not be unpacked, or not to its end. */
	readonly fault: string | null;
}

export interface HalfView {
	/** `GET / HTTP/1.1`, `HTTP/1.1 200 OK` */
	readonly line: string;
	readonly fields: readonly FieldView[];
	readonly body: BodyView;
	readonly trailers: readonly FieldView[];
	/** All of it has come. */
	readonly complete: boolean;
}

export interface Detail extends Summary {
	/** Whole. */
	readonly target: string;
	readonly request: HalfView | null;
	readonly response: HalfView | null;
	/** Statuses of answers before the answer. */
	readonly interim: readonly number[];
	/** Fields whose values are not shown unless they are asked for. */
	readonly hidden: number;
	/** Why its request cannot be sent again; `null`: it can. */
	readonly no_replay: string | null;
}

export interface ReplayAnswer {
	/** Of the new exchange. */
	readonly id: number;
}

export interface ErrorAnswer {
	readonly error: string;
}
