/**
 * Messages over a stream of bytes: each one behind its length. The package's entry `sluice/frames`; docs/library/frames.md
 * tells what for.
 */
export { FrameDecoder, type FrameDecoderOptions } from "./frames/decoder.js";
export { encodeFrame, framePieces, type Payload } from "./frames/encode.js";
export {
	FrameBacklogError,
	FrameLengthError,
	FrameTooLargeError,
	FrameTruncatedError,
	FrameWriterClosedError,
} from "./frames/errors.js";
export { FrameFormat, type FrameOptions } from "./frames/format.js";
export { type FramesOptions, frames } from "./frames/iterate.js";
export { FrameDecoderStream, FrameEncoderStream } from "./frames/streams.js";
export { FrameWriter, type FrameWriterCounts, type FrameWriterOptions } from "./frames/writer.js";
export { OptionError, type Size } from "./units.js";
