/** Whether what has come of an HTTP response is the one that was expected. */

export type ResponseVerdict =
	/** More of it must come. */
	| "incomplete"
	/** The right one, and its connection may be used again. */
	| "kept"
	/** The right one, and the last of its connection. */
	| "last"
	| { readonly failure: string };

/** `text`: what has come, as Latin-1. The right response is a 200 with exactly this body. */
export function judgeResponse(text: string, body: string): ResponseVerdict {
	const headEnd = text.indexOf("\r\n\r\n");
	if (headEnd < 0) return "incomplete";
	const head = text.slice(0, headEnd);
	const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1];
	if (status === undefined) return { failure: "no response of HTTP/1.1" };
	if (status !== "200") return { failure: `answered with ${status}` };
	const got = text.slice(headEnd + 4);
	if (!body.startsWith(got)) return { failure: "the answer of another" };
	if (got.length < body.length) return "incomplete";
	return /^connection: *close *$/im.test(head) ? "last" : "kept";
}
