/** An echo on the pieces that the hub will read clients with: for tests alone. It takes bytes as they come, and says what it sends. */

import { COMPLETE, MALFORMED } from "../../../src/protocol/verdict.js";
import { answerToClose, writeClose } from "../../../src/protocol/websocket/close-frame.js";
import {
	Frame,
	OPCODE_BINARY,
	OPCODE_PONG,
	OPCODE_TEXT,
	parseFrame,
	unmask,
	writeFrameHeader,
} from "../../../src/protocol/websocket/frame.js";
import {
	INCOMING_CLOSE,
	INCOMING_FAULT,
	INCOMING_FRAGMENT,
	INCOMING_MESSAGE,
	INCOMING_PING,
	Incoming,
	isAmidMessage,
	newIncoming,
	takeFrame,
} from "../../../src/protocol/websocket/incoming.js";

export class Echo {
	isClosed = false;
	readonly #send: (bytes: Uint8Array) => void;
	readonly #most: number;
	readonly #frame = new Frame();
	readonly #incoming = new Incoming();
	readonly #state = newIncoming();
	#waiting: Uint8Array = new Uint8Array(0);
	#message: Uint8Array[] = [];

	constructor(send: (bytes: Uint8Array) => void, most: number) {
		this.#send = send;
		this.#most = most;
	}

	take(bytes: Uint8Array): void {
		this.#waiting = Buffer.concat([this.#waiting, bytes]);
		while (!this.isClosed) {
			const verdict = parseFrame(
				...([this.#waiting, 0, this.#waiting.length, isAmidMessage(this.#state)] as const),
				...([this.#most, this.#frame] as const),
			);
			if (verdict === MALFORMED) this.#close(this.#frame.closeCode);
			if (verdict !== COMPLETE) return;
			this.#takeFrame();
			this.#waiting = this.#waiting.subarray(this.#frame.end);
		}
	}

	#takeFrame(): void {
		const bytes = this.#waiting;
		unmask(bytes, this.#frame);
		const kind = takeFrame(bytes, this.#frame, this.#state, this.#most, this.#incoming);
		const payload = bytes.slice(this.#frame.payloadAt, this.#frame.end);
		if (kind === INCOMING_PING) this.#write(OPCODE_PONG, payload);
		else if (kind === INCOMING_CLOSE)
			this.#close(answerToClose(bytes, this.#frame.payloadAt, this.#frame.end));
		else if (kind === INCOMING_FAULT) this.#close(this.#incoming.closeCode);
		else if (kind === INCOMING_FRAGMENT || kind === INCOMING_MESSAGE) this.#message.push(payload);
		if (kind !== INCOMING_MESSAGE) return;
		this.#write(this.#incoming.wasText ? OPCODE_TEXT : OPCODE_BINARY, Buffer.concat(this.#message));
		this.#message = [];
	}

	#write(opcode: number, payload: Uint8Array): void {
		const header = new Uint8Array(10);
		const length = writeFrameHeader(header, 0, opcode, payload.length);
		this.#send(Buffer.concat([header.subarray(0, length), payload]));
	}

	#close(code: number): void {
		this.isClosed = true;
		const frame = new Uint8Array(127);
		this.#send(frame.slice(0, writeClose(frame, 0, code)));
	}
}
