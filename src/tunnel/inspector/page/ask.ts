/** Asks the inspector's API. */
import type { Detail, ErrorAnswer, ListAnswer, ReplayAnswer } from "../api.js";

/** What the API says when it does not do what it was asked. */
async function ask<T>(path: string, method = "GET"): Promise<T> {
	const response = await fetch(path, { method, cache: "no-store" });
	const answer = (await response.json()) as T | ErrorAnswer;
	if (!response.ok) throw new Error((answer as ErrorAnswer).error);
	return answer as T;
}

export function askList(): Promise<ListAnswer> {
	return ask("/api/exchanges");
}

export function askDetail(id: number, secrets: boolean): Promise<Detail> {
	return ask(`/api/exchanges/${id}${secrets ? "?secrets=shown" : ""}`);
}

export function askReplay(id: number): Promise<ReplayAnswer> {
	return ask(`/api/exchanges/${id}/replay`, "POST");
}

export function askClear(): Promise<unknown> {
	return ask("/api/exchanges", "DELETE");
}

export type Half = "request" | "response";

/** What is kept of a body: as it came, to be saved. */
export function bodyPath(id: number, half: Half): string {
	return `/api/exchanges/${id}/${half}/body`;
}

/** The same as it was before it was packed. */
export async function askBytes(id: number, half: Half): Promise<Uint8Array> {
	const response = await fetch(`${bodyPath(id, half)}?unpacked`, { cache: "no-store" });
	if (!response.ok) throw new Error(((await response.json()) as ErrorAnswer).error);
	return new Uint8Array(await response.arrayBuffer());
}
