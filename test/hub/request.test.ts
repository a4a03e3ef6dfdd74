/** What somebody asks for who comes to the hub by a request: a table of heads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type HubRequest, isOriginAllowed, RequestRefusal, readHubRequest } from "../../src/hub/request.js";

const head = (target: string, ...fields: readonly string[]): string =>
	[`GET ${target} HTTP/1.1`, "Host: push.example.com", ...fields, "", ""].join("\r\n");

const read = (text: string, isWebSocket = false, path = "/channels/"): HubRequest =>
	readHubRequest(text, isWebSocket, path);

for (const [name, target, channels] of [
	["what follows the route's path is a channel", "/channels/prices", ["prices"]],
	["a channel's name has parts", "/channels/rooms/42", ["rooms/42"]],
	["each part is decoded once", "/channels/ro%6Fms/a%3Ab", ["rooms/a:b"]],
	["further ones stand in the query", "/channels/a?channel=b&channel=c", ["a", "b", "c"]],
	["each is taken once", "/channels/a?channel=a&channel=a", ["a"]],
	["an absolute target is one as well", "http://push.example.com/channels/a?last=1", ["a"]],
] as const)
	test(name, () => assert.deepEqual(read(head(target)).channels, channels));

for (const [name, text, isWebSocket, status, code] of [
	["another method", "POST /channels/a HTTP/1.1\r\n\r\n", false, 405, "bad_method"],
	["no events", head("/channels/a", "Accept: text/html"), false, 406, "not_acceptable"],
	["no channel for events", head("/channels/"), false, 400, "bad_channel"],
	["no name of a channel", head("/channels/a//b"), false, 404, "bad_channel"],
	["a part that cannot be decoded", head("/channels/%zz"), false, 404, "bad_channel"],
	["a slash that was encoded is no name's either", head("/channels/a%00b"), false, 404, "bad_channel"],
	["tokens that differ", head("/channels/a?token=x", "Authorization: Bearer y"), false, 400, "bad_message"],
	[
		"other subprotocols only",
		head("/channels/a", "Sec-WebSocket-Protocol: mqtt"),
		true,
		400,
		"bad_subprotocol",
	],
	[
		"a token for a subprotocol only",
		head("/channels/a", "Sec-WebSocket-Protocol: token.x"),
		true,
		400,
		"bad_subprotocol",
	],
	[
		"too many channels",
		head(`/channels/?${Array.from({ length: 65 }, (_, each) => `channel=c${each}`).join("&")}`),
		false,
		400,
		"limit_subscriptions",
	],
] as const)
	test(`${name}: ${status} ${code}`, () => {
		assert.throws(
			() => read(text, isWebSocket),
			(error) => error instanceof RequestRefusal && error.status === status && error.code === code,
		);
	});

test("a token comes in a field, in the query or as a subprotocol, and the same one may come twice", () => {
	assert.equal(read(head("/channels/a", "authorization: bearer abc.def")).token, "abc.def");
	assert.equal(read(head("/channels/a?token=abc.def", "Authorization: Bearer abc.def")).token, "abc.def");
	const offered = read(head("/channels/", "Sec-WebSocket-Protocol: sluice-hub.v1, token.abc.def"), true);
	assert.deepEqual([offered.token, offered.subprotocol], ["abc.def", "sluice-hub.v1"]);
	assert.equal(read(head("/channels/a")).token, null);
});

test("what a browser says when it comes back goes before what its page asked for", () => {
	const request = read(head("/channels/a?after=k:1", "Last-Event-ID: k:9", "Accept: text/event-stream"));
	assert.equal(request.after, "k:9");
	assert.equal(read(head("/channels/a?after=k:1"), true).after, "k:1");
	assert.equal(read(head("/channels/a?last=1")).last, true);
});

test("events are for whoever takes anything", () => {
	for (const accept of ["*/*", "text/*;q=0.5", "text/html, text/event-stream", "TEXT/EVENT-STREAM"])
		assert.equal(read(head("/channels/a", `Accept: ${accept}`)).kind, "events");
});

test("pages of the host that was asked may come, or those of the origins that are named", () => {
	const from = (origin: string): HubRequest => read(head("/channels/a", `Origin: ${origin}`));
	assert.equal(isOriginAllowed(read(head("/channels/a")), null), true);
	assert.equal(isOriginAllowed(from("https://push.example.com"), null), true);
	assert.equal(isOriginAllowed(from("https://push.example.com:8443"), null), false);
	assert.equal(isOriginAllowed(from("null"), null), false);
	assert.equal(isOriginAllowed(from("https://evil.test"), ["https://example.com"]), false);
	assert.equal(isOriginAllowed(from("https://Example.com"), ["https://example.com"]), true);
	assert.equal(isOriginAllowed(from("null"), ["*"]), true);
});
