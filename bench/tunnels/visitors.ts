/** What visitors of a tunnel do, whatever tells it where they want to go. */
import type { Generator } from "../load/driver.js";
import { ANSWER_BYTES, lastRequest, RESPONSE_BYTES, request, SNI_NAMES } from "../load/wire.js";
import { capturedHellos } from "../rows/sni-session.js";
import { type Assignment, type Manner, type RunningTunnel, WAYS, type Way } from "./system.js";

/** The name in the ClientHello of those who come by one. The backend of `once` is the first of its names. */
export function nameOf(way: Way): string {
	const order: readonly Way[] = ["once", "relay", "bulk"];
	return SNI_NAMES[order.indexOf(way)] as string; // there are four
}

/** Base64, by way. */
let hellos: Readonly<Record<Way, string>> | undefined;

/** To be awaited before anybody says hello. */
export async function captureHellos(): Promise<void> {
	const all = await capturedHellos();
	hellos = Object.fromEntries(WAYS.map((way) => [way, all[SNI_NAMES.indexOf(nameOf(way))]])) as Record<
		Way,
		string
	>;
}

function helloOf(way: Way): string {
	const hello = hellos?.[way];
	if (hello === undefined) throw new Error("no ClientHello was captured");
	return hello;
}

export function portOf({ listen }: Pick<Assignment, "listen">, manner: Manner, way: Way): number {
	return manner === "port" ? listen[way] : listen.relay;
}

/** The first bytes of a visitor, and what the answer begins with. */
export function firstWords(manner: Manner): { readonly say: Uint8Array; readonly begins: string } {
	if (manner !== "hello") return { say: request("/ready"), begins: "HTTP/1.1 200 " };
	return { say: Buffer.from(helloOf("relay"), "base64"), begins: "\0" };
}

/** Opens connections and holds them; they can be asked over. */
export async function open(
	generator: Generator,
	{ system: { manner }, assignment }: RunningTunnel,
	way: Way,
	connections: number,
): Promise<void> {
	const hello = manner === "hello" ? { helloBase64: helloOf(way) } : {};
	await generator.ask("open", { port: portOf(assignment, manner, way), connections, ...hello });
}

/** Requests over the held connections. */
export function ask(
	generator: Generator,
	{ system: { manner } }: RunningTunnel,
	count: number,
): Promise<{ wallMs: number }> {
	return generator.ask("requests", { count, learns: manner === "host" });
}

/** Visitors with a connection each, so many at a time. */
export function visit(
	generator: Generator,
	{ system: { manner }, assignment }: RunningTunnel,
	count: number,
	concurrency: number,
): Promise<{ wallMs: number }> {
	const load = { port: portOf(assignment, manner, "once"), count, concurrency };
	if (manner === "hello")
		return generator.ask("visits", { ...load, sayBase64: helloOf("once"), answerBytes: ANSWER_BYTES });
	const isRead = manner === "host";
	const say = isRead ? lastRequest() : request("/");
	const sayBase64 = Buffer.from(say).toString("base64");
	return generator.ask("visits", { ...load, sayBase64, answerBytes: isRead ? null : RESPONSE_BYTES });
}
