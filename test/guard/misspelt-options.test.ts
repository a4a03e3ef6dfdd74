/** A misspelt option is an error: else a default would silently stay in force. Each piece is tried, with each option that it has. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { leaks } from "../../src/guard/diagnostics.js";
import {
	encodeFrame,
	FrameDecoder,
	FrameDecoderStream,
	FrameEncoderStream,
	FrameFormat,
	FrameWriter,
	frames,
} from "../../src/guard/frames.js";
import { guard } from "../../src/guard/guard.js";
import { Lifetime } from "../../src/guard/lifetime.js";
import { Outbox } from "../../src/guard/outbox.js";
import { Pool } from "../../src/guard/pool.js";
import { TokenBucket } from "../../src/guard/token-bucket.js";
import { OptionError } from "../../src/guard/units.js";

// As plain JavaScript passes them: the compiler looks at none of these.
type Options = Record<string, never>;

const FRAME = { prefixBytes: 2, byteOrder: "little", lengthIncludesPrefix: true, maxFrameBytes: "1KiB" };
const nothing = (): void => {};

for (const [piece, make, all] of [
	["guard", (options: Options) => guard(createServer(), options), { timeouts: {}, limits: {} }],
	["Lifetime", (options: Options) => new Lifetime(options), { name: "a", grace: "1s", trace: false }],
	[
		"TokenBucket",
		(options: Options) => new TokenBucket({ perSecond: 1, ...options }),
		{ burst: 2, waitersMax: 3, now: () => 0 },
	],
	[
		"Outbox",
		(options: Options) => new Outbox(new PassThrough(), options),
		{
			...{ bytesMax: "1MiB", messagesMax: 10, handedMax: 1_024, policy: "conflate" },
			...{ key: nothing, write: "1s", onGap: nothing },
		},
	],
	[
		"Pool",
		(options: Options) => new Pool({ create: nothing, destroy: nothing, ...options }),
		{
			...{
				check: () => true,
				max: 1,
				maxWaiting: 1,
				maxIdle: 1,
				deadline: 1,
				createMs: 1,
				checkMs: 1,
				destroyMs: 1,
			},
			...{ idleMs: 1, ageMs: 1, maxUses: 1, jitter: 0, leaseMs: 1, trace: false },
			...{ onLeak: nothing, onOverdue: nothing, onError: nothing },
		},
	],
	["FrameFormat", (options: Options) => new FrameFormat(options), FRAME],
	["encodeFrame", (options: Options) => encodeFrame(Buffer.alloc(1), options), FRAME],
	["FrameEncoderStream", (options: Options) => new FrameEncoderStream(options), FRAME],
	["FrameDecoder", (options: Options) => new FrameDecoder(options), { ...FRAME, pin: true }],
	["FrameDecoderStream", (options: Options) => new FrameDecoderStream(options), { ...FRAME, pin: true }],
	[
		"FrameWriter",
		(options: Options) => new FrameWriter(new PassThrough(), options),
		{ ...FRAME, flush: "manual", highWaterBytes: 1, maxBufferedBytes: 2 },
	],
	[
		"frames",
		(options: Options) => frames(new PassThrough(), options),
		{ ...FRAME, pin: true, signal: new AbortController().signal },
	],
	["leaks", (options: Options) => leaks(options).done(), { settleMs: 0, ignore: () => true }],
] as const)
	test(`${piece} takes each option that it has, and no other`, async () => {
		await make(all as unknown as Options);
		assert.throws(
			() => make({ ...all, misspelt: 1 } as unknown as Options),
			(error) =>
				error instanceof OptionError &&
				error.option === "misspelt" &&
				Object.keys(all).every((name) => error.message.includes(name)),
		);
	});
