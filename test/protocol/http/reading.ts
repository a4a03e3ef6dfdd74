/** Heads read for tests: as plain data, and whichever way the network cuts them. */
import assert from "node:assert/strict";
import { causeName } from "../../../src/protocol/http/causes.js";
import type { FieldSection } from "../../../src/protocol/http/field-section.js";
import { parseRequest, RequestHead } from "../../../src/protocol/http/request.js";
import { parseResponse, ResponseHead } from "../../../src/protocol/http/response.js";
import { COMPLETE, MALFORMED, NEED_MORE } from "../../../src/protocol/index.js";
import { latin1, type Outcome, parseGrowing } from "../samples.js";

const request = new RequestHead();
const response = new ResponseHead();

export interface ReadRequest {
	method: number;
	methodText: string;
	target: string;
	targetForm: number;
	path: string;
	host: string;
	authority: string;
	port: number;
	versionMinor: number;
	headLength: number;
	fields: string[];
	ids: number[];
	framing: number;
	contentLength: number;
	keepAlive: boolean;
	expectContinue: boolean;
	maxForwards: number;
	wantsUpgrade: boolean;
}

export interface ReadResponse {
	statusCode: number;
	reason: string;
	versionMinor: number;
	headLength: number;
	fields: string[];
	framing: number;
	contentLength: number;
	keepAlive: boolean;
	isInterim: boolean;
	isUpgrade: boolean;
	keepsLength: boolean;
	keepAliveSeconds: number;
	bindsConnection: boolean;
}

function text(bytes: Uint8Array, start: number, end: number): string {
	return Buffer.from(bytes.subarray(start, end)).toString("latin1");
}

function fieldsOf(bytes: Uint8Array, { count, spans }: FieldSection): string[] {
	return Array.from({ length: count }, (_, index) => {
		const [nameStart, nameEnd, valueStart, valueEnd] = spans.subarray(index * 4, index * 4 + 4);
		return `${text(bytes, nameStart ?? 0, nameEnd ?? 0)}: ${text(bytes, valueStart ?? 0, valueEnd ?? 0)}`;
	});
}

export function parseRequestOutcome(
	bytes: Uint8Array,
	start: number,
	end: number,
): Outcome & { result: ReadRequest } {
	const verdict = parseRequest(bytes, start, end, request);
	const { authority, fields } = request;
	return {
		verdict,
		needBytes: request.needBytes,
		cause: verdict === MALFORMED ? causeName(request.cause) : "",
		result: {
			method: request.method,
			methodText: text(bytes, request.methodStart, request.methodEnd),
			target: text(bytes, request.targetStart, request.targetEnd),
			targetForm: request.targetForm,
			path: text(bytes, request.pathStart, request.pathEnd),
			host: text(authority.host, 0, authority.hostLength),
			authority: text(bytes, authority.start, authority.end),
			port: authority.port,
			versionMinor: request.versionMinor,
			headLength: request.headLength,
			fields: fieldsOf(bytes, fields),
			ids: [...fields.ids.subarray(0, fields.count)],
			framing: request.framing,
			contentLength: request.contentLength,
			keepAlive: request.keepAlive,
			expectContinue: request.expectContinue,
			maxForwards: request.maxForwards,
			wantsUpgrade: request.wantsUpgrade,
		},
	};
}

/** Parses responses to requests of this method. */
export function responseParser(method: number) {
	return (bytes: Uint8Array, start: number, end: number): Outcome & { result: ReadResponse } => {
		const verdict = parseResponse(bytes, start, end, method, response);
		return {
			verdict,
			needBytes: response.needBytes,
			cause: verdict === MALFORMED ? causeName(response.cause) : "",
			result: {
				statusCode: response.statusCode,
				reason: text(bytes, response.reasonStart, response.reasonEnd),
				versionMinor: response.versionMinor,
				headLength: response.headLength,
				fields: fieldsOf(bytes, response.fields),
				framing: response.framing,
				contentLength: response.contentLength,
				keepAlive: response.keepAlive,
				isInterim: response.isInterim,
				isUpgrade: response.isUpgrade,
				keepsLength: response.keepsLength,
				keepAliveSeconds: response.fields.keepAliveSeconds,
				bindsConnection: response.fields.bindsConnection,
			},
		};
	};
}

/** A request that must be taken, at every way to cut it. */
export function readRequest(input: string): ReadRequest {
	const outcome = parseGrowing(parseRequestOutcome, latin1(input));
	assert.equal(outcome.verdict, COMPLETE, `${outcome.cause}: ${JSON.stringify(input)}`);
	return outcome.result as ReadRequest;
}

/** Takes requests that must be refused, and gives the cause. */
export function refusalOf(input: string): string {
	const outcome = parseGrowing(parseRequestOutcome, latin1(input));
	assert.equal(outcome.verdict, MALFORMED, JSON.stringify(input));
	assert.equal((outcome.result as ReadRequest).host, "", "half a head must name nothing");
	return outcome.cause;
}

export function readResponse(input: string, method: number): ReadResponse {
	const outcome = parseGrowing(responseParser(method), latin1(input));
	assert.equal(outcome.verdict, COMPLETE, `${outcome.cause}: ${JSON.stringify(input)}`);
	return outcome.result as ReadResponse;
}

export function responseRefusalOf(input: string, method: number): string {
	const outcome = parseGrowing(responseParser(method), latin1(input));
	assert.equal(outcome.verdict, MALFORMED, JSON.stringify(input));
	return outcome.cause;
}

export { COMPLETE, MALFORMED, NEED_MORE };
