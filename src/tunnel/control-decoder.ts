/** Bytes of a control connection become messages, wherever they were cut. */
import { FrameDecoder } from "../guard/frames/decoder.js";
import { FrameTooLargeError } from "../guard/frames/errors.js";
import { FRAME_MAX_BYTES, type Message, readMessage, TunnelProtocolError } from "../protocol/tunnel/index.js";

/** Holds no more than twice what has arrived of one frame. */
export class ControlDecoder {
	// Frames are read at once, and kept by nobody.
	readonly #frames = new FrameDecoder({ maxFrameBytes: FRAME_MAX_BYTES, pin: true });

	/**
	 * The messages that are whole with this chunk. Those of types that are not known are left out.
	 *
	 * @throws TunnelProtocolError from the iteration, once those before the fault have been given
	 */
	*take(chunk: Uint8Array): Generator<Message, void, undefined> {
		try {
			for (const frame of this.#frames.push(chunk)) {
				const message = readMessage(frame);
				if (message !== undefined) yield message;
			}
		} catch (error) {
			if (!(error instanceof FrameTooLargeError)) throw error;
			throw new TunnelProtocolError(`a frame of ${error.frameBytes} bytes: ${FRAME_MAX_BYTES} is the most`);
		}
	}
}
