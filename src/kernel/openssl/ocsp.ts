/** OCSP responses that are stapled (RFC 6960): what OpenSSL reads in them, and what is wrong with them. */
import { X509Certificate } from "node:crypto";
import * as libc from "../libc.js";

import { clearErrors } from "./errors.js";
import * as ssl from "./library.js";
import type { PemFile, StapleFile } from "./options.js";
import { inCMemory } from "./tickets.js";

/** What a response says about one certificate. */
interface Answer {
	readonly serial: bigint;
	/** One of STATUSES. */
	readonly status: string;
	readonly fromMs: number;
	/** When the next response is due; Infinity where it does not say. */
	readonly untilMs: number;
}

/** Indexed by V_OCSP_CERTSTATUS_ of ocsp.h. */
const STATUSES = ["good", "revoked", "unknown"];
const SUCCESSFUL = 0;

/** A clock that is this much behind its authority's is none to complain about. */
const SKEW_MS = 300_000;

/** It is a response, and the authority could answer: RFC 6960, section 4.2.1. */
export function isSuccessful(der: Uint8Array): boolean {
	return withResponse(der, (response) => ssl.ocspStatus(response) === SUCCESSFUL) === true;
}

/** When the response stops saying anything about the chain's first certificate; Infinity if that is not said. */
export function stapledUntilMs({ bytes }: StapleFile, chain: PemFile): number {
	return answerFor(bytes, chain)?.untilMs ?? Number.POSITIVE_INFINITY;
}

/** What clients would object to, as sentences that begin with the file. */
export function inspectStaple(staple: StapleFile, chain: PemFile, now: Date): string[] {
	if (!isSuccessful(staple.bytes)) return []; // told when it is used
	const answer = answerFor(staple.bytes, chain);
	return findings(answer, chain.file, now.getTime()).map((what) => `${staple.file}: ${what}`);
}

function findings(answer: Answer | undefined, chainFile: string, nowMs: number): string[] {
	if (answer === undefined) return [`says nothing about the certificate in ${chainFile}`];
	const { status, fromMs, untilMs } = answer;
	const found: string[] = [];
	if (status !== "good") found.push(`says that the certificate in ${chainFile} is ${status}`);
	if (untilMs < nowMs)
		found.push(`was due to be replaced at ${new Date(untilMs).toISOString()}; it is not stapled any more`);
	if (fromMs > nowMs + SKEW_MS) found.push(`is not valid before ${new Date(fromMs).toISOString()}`);
	return found;
}

function answerFor(der: Uint8Array, chain: PemFile): Answer | undefined {
	let serial: bigint;
	try {
		serial = BigInt(`0x${new X509Certificate(chain.text).serialNumber}`);
	} catch {
		return undefined; // what the chain lacks is told of the chain
	}
	return answersIn(der).find((answer) => answer.serial === serial);
}

function answersIn(der: Uint8Array): Answer[] {
	const answers = withResponse(der, (response) => {
		const basic = ssl.takeOcspBasic(response);
		if (basic === 0) return [];
		try {
			return Array.from({ length: ssl.ocspCount(basic) }, (_, index) => read(ssl.ocspSingle(basic, index)));
		} finally {
			ssl.freeOcspBasic(basic);
		}
	});
	clearErrors();
	return answers ?? [];
}

function withResponse<T>(der: Uint8Array, use: (response: number) => T): T | undefined {
	const bytes = inCMemory(der);
	const cursor = new BigUint64Array([BigInt(libc.addressOf(bytes))]);
	const response = ssl.readOcspResponse(0, libc.addressOf(cursor), bytes.length);
	clearErrors();
	if (response === 0) return undefined;
	try {
		const isAll = Number(cursor[0]) === libc.addressOf(bytes) + bytes.length;
		return isAll ? use(response) : undefined;
	} finally {
		ssl.freeOcspResponse(response);
	}
}

function read(single: number): Answer {
	const out = new BigUint64Array(2);
	const at = libc.addressOf(out);
	ssl.ocspIdParts(0, 0, 0, at, ssl.ocspIdOf(single));
	const serial = integerAt(Number(out[0]));
	const status = ssl.ocspStatusOf(single, 0, 0, at, at + 8);
	return {
		serial,
		status: STATUSES[status] ?? "unknown",
		fromMs: timeAt(Number(out[0])) ?? 0,
		untilMs: timeAt(Number(out[1])) ?? Number.POSITIVE_INFINITY,
	};
}

/** An ASN1_INTEGER that is not negative. */
function integerAt(integer: number): bigint {
	const bytes = new Uint8Array(new ArrayBuffer(Math.max(0, ssl.stringLength(integer))));
	if (bytes.length === 0) return 0n;
	ssl.copy(libc.addressOf(bytes), ssl.stringBytes(integer), bytes.length);
	return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

/** An ASN1_TIME, or undefined where there is none. */
function timeAt(time: number): number | undefined {
	if (time === 0) return undefined;
	// struct tm begins with: seconds, minutes, hours, day of the month, month from 0, years since 1900.
	const parts = new Int32Array(16);
	if (ssl.timeParts(time, libc.addressOf(parts)) !== 1) return undefined;
	const [second = 0, minute = 0, hour = 0, day = 0, month = 0, years = 0] = parts;
	return Date.UTC(1900 + years, month, day, hour, minute, second);
}
