import assert from "node:assert/strict";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { test } from "node:test";
import { refusalOf } from "../../src/admin/rights.js";
import type { AdminTokens } from "../../src/admin/view.js";

const NONE: AdminTokens = { full: null, read: null };
const BOTH: AdminTokens = { full: "all", read: "some" };

interface Ask {
	/** `undefined`: it has no address any more. */
	readonly from?: string | undefined;
	readonly token?: string;
	readonly headers?: IncomingHttpHeaders;
	readonly isApi?: boolean;
	readonly changes?: boolean;
	readonly onSocketFile?: boolean;
}

function status(
	tokens: AdminTokens,
	{ token, headers = {}, isApi = true, changes = false, onSocketFile = false, ...ask }: Ask,
): number {
	const from = "from" in ask ? ask.from : "127.0.0.1";
	const request = {
		headers: {
			host: "localhost:9090",
			...(changes ? { "sluice-operator": "test" } : {}),
			...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
			...headers,
		},
		socket: { remoteAddress: from },
	} as unknown as IncomingMessage;
	return refusalOf(request, tokens, { isApi, changes, onSocketFile })?.status ?? 200;
}

test("without tokens this machine may do everything, and others only read metrics", () => {
	for (const from of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]) {
		assert.equal(status(NONE, { from }), 200, from);
		assert.equal(status(NONE, { from, changes: true }), 200, from);
	}
	for (const from of ["10.0.0.5", "2001:db8::1", "::ffff:10.0.0.5"]) {
		assert.equal(status(NONE, { from }), 403, from);
		assert.equal(status(NONE, { from, changes: true }), 403, from);
		assert.equal(status(NONE, { from, isApi: false }), 200, from);
	}
});

test("who may open the file of a Unix socket may do everything, unless there are tokens", () => {
	const asked = { from: undefined, onSocketFile: true };
	assert.equal(status(NONE, { ...asked, changes: true }), 200);
	assert.equal(status(NONE, { ...asked, changes: true, headers: { "sluice-operator": undefined } }), 403);
	assert.equal(status(BOTH, asked), 401);
	assert.equal(status(BOTH, { ...asked, token: "some" }), 200);
	assert.equal(status(BOTH, { ...asked, token: "some", changes: true }), 403);
});

test("who has no address any more, because it has reset its connection, is not of this machine", () => {
	assert.equal(status(NONE, { from: undefined }), 403);
	assert.equal(status(NONE, { from: undefined, changes: true }), 403);
});

test("with tokens nobody may do anything without, and each token what it is for", () => {
	for (const from of ["127.0.0.1", "10.0.0.5"]) {
		assert.equal(status(BOTH, { from }), 401);
		assert.equal(status(BOTH, { from, isApi: false }), 401);
		for (const token of ["", "al", "all ", "ALL", "allx"])
			assert.equal(status(BOTH, { from, token: token.trim() === "all" ? "all2" : token }), 401, token);
		assert.equal(status(BOTH, { from, token: "some" }), 200);
		assert.equal(status(BOTH, { from, token: "some", changes: true }), 403);
		assert.equal(status(BOTH, { from, token: "all", changes: true }), 200);
	}
	assert.equal(status({ full: "all", read: null }, { token: "all" }), 200);
	assert.equal(status({ full: null, read: "some" }, { token: "some", changes: true }), 403);
});

test("a change needs a header that no form sends, and no page of another site may ask for one", () => {
	for (const [headers, expected] of [
		[{ "sluice-operator": undefined }, 403],
		[{ origin: "http://localhost:9090" }, 200],
		[{ origin: "https://localhost:9090" }, 200],
		[{ origin: "http://localhost:9091" }, 403],
		[{ origin: "http://evil.example" }, 403],
		[{ origin: "null" }, 403],
	] as const) {
		const { ...fields } = headers as IncomingHttpHeaders;
		assert.equal(status(NONE, { changes: true, headers: fields }), expected, JSON.stringify(headers));
	}
});
