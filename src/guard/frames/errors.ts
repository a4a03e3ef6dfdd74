/** What can be wrong with a frame, or with the way it goes. */

/** A frame is longer than the limit. Thrown as soon as its prefix is known: nothing was kept for its payload. */
export class FrameTooLargeError extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "FrameTooLargeError";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_FRAME_TOO_LARGE";
	/** Of the payload, as announced. Above 2^53 it is rounded. */
	readonly frameBytes: number;
	/** The limit that holds: the option, or less where the prefix cannot say as much. */
	readonly maxFrameBytes: number;

	constructor(frameBytes: number, maxFrameBytes: number) {
		super(
			`a frame of ${frameBytes} bytes is over the limit of ${maxFrameBytes}: raise maxFrameBytes on both sides if such frames are meant, else check that both use the same prefix`,
		);
		this.frameBytes = frameBytes;
		this.maxFrameBytes = maxFrameBytes;
	}
}

/** A prefix that is counted in its own length (`lengthIncludesPrefix`) and says less than its own size. */
export class FrameLengthError extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "FrameLengthError";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_FRAME_LENGTH";
	/** What the prefix says. */
	readonly declaredBytes: number;
	/** What it is to say at least. */
	readonly prefixBytes: number;

	constructor(declaredBytes: number, prefixBytes: number) {
		super(
			`a length of ${declaredBytes} cannot include its own prefix of ${prefixBytes} bytes: check lengthIncludesPrefix on both sides`,
		);
		this.declaredBytes = declaredBytes;
		this.prefixBytes = prefixBytes;
	}
}

/** The source ended within a frame: the other side broke off, or speaks with another prefix. */
export class FrameTruncatedError extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "FrameTruncatedError";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_FRAME_TRUNCATED";
	/** Of the payload, as announced; `undefined` when the prefix itself was cut. */
	readonly frameBytes: number | undefined;
	/** Of the payload, or of the prefix when that was cut. */
	readonly arrivedBytes: number;

	constructor(frameBytes: number | undefined, arrivedBytes: number) {
		super(
			frameBytes === undefined
				? `the source ended ${arrivedBytes} bytes into the prefix of a frame`
				: `the source ended within a frame: ${arrivedBytes} of ${frameBytes} bytes arrived`,
		);
		this.frameBytes = frameBytes;
		this.arrivedBytes = arrivedBytes;
	}
}

/** `FrameWriter.write` was called on and on although it had asked to wait. The frame was not taken. */
export class FrameBacklogError extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "FrameBacklogError";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_FRAME_BACKLOG";
	/** What waits in the stream. */
	readonly bufferedBytes: number;
	/** The option, as it was read. */
	readonly maxBufferedBytes: number;

	constructor(bufferedBytes: number, maxBufferedBytes: number) {
		super(
			`${bufferedBytes} bytes wait, and with this frame the limit of ${maxBufferedBytes} would be passed: await drained() when write() returns false`,
		);
		this.bufferedBytes = bufferedBytes;
		this.maxBufferedBytes = maxBufferedBytes;
	}
}

/** The stream under a `FrameWriter` closed, was ended, or failed. What was not written when it closed is lost. */
export class FrameWriterClosedError extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "FrameWriterClosedError";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_FRAME_WRITER_CLOSED";

	/** `cause`: what the stream failed with, where it said so. */
	constructor(cause?: unknown) {
		super("the stream is closed, or was ended: it takes no more frames", { cause });
	}
}
