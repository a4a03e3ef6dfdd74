/** Publishes by POST over one kept connection. */
import { EAGAIN, EPOLLIN, EPOLLOUT, errorName } from "../../kernel/constants.js";
import type { LinuxKernel } from "../../kernel/linux.js";
import { loopback } from "../connect.js";
import { Deadline } from "../deadline.js";
import { Places } from "../places.js";
import { turnUntilOver } from "../turn.js";
import { HEAR_AT, HEAR_BYTES, SAY_AT, SAY_BYTES } from "./arena.js";
import type { PublishersDoor } from "./doors.js";

const ANSWER_MS = 30_000;
const LATIN1 = new TextDecoder("latin1");
const UTF8 = new TextEncoder();

export class Publisher {
	readonly #kernel: LinuxKernel;
	readonly #door: PublishersDoor;
	/** Of one. */
	readonly #places: Places;
	/** What has come of it. */
	#answer = "";

	constructor(kernel: LinuxKernel, door: PublishersDoor) {
		this.#kernel = kernel;
		this.#door = door;
		this.#places = new Places(kernel, 1);
	}

	open(): void {
		let isOpen = false;
		this.#places.open(0, loopback(this.#door.port), EPOLLOUT);
		turnUntilOver(this.#kernel, this.#places, {
			what: "a publisher",
			timeoutMs: ANSWER_MS,
			isOver: () => isOpen,
			progress: () => "it is not connected",
			hear: () => {
				const error = this.#kernel.takeError(this.#fd);
				if (error !== 0) throw new Error(`a publisher connects: ${errorName(error)}`);
				this.#places.watch(0, EPOLLIN);
				isOpen = true;
			},
		});
	}

	/** Sends a message on its way; `awaitAnswer` must follow. */
	publish(text: string): void {
		const bytes = this.#request(text);
		if (bytes.length > SAY_BYTES) throw new RangeError(`a request of ${bytes.length} bytes`);
		this.#kernel.memory.set(bytes, SAY_AT);
		const count = this.#kernel.send(this.#fd, SAY_AT, bytes.length);
		if (count !== bytes.length) throw new Error(`sent ${count} bytes of ${bytes.length} of a message`);
	}

	/** Throws for an answer that refuses the message. */
	awaitAnswer(): void {
		const deadline = new Deadline("publishing", ANSWER_MS);
		while (!this.hasAnswer(deadline.leftMs))
			deadline.check(`${this.#answer.length} bytes of an answer have come`);
	}

	/** The same for who has something else to do meanwhile: whether it is there, waiting for so long. */
	hasAnswer(waitMs: number): boolean {
		// Nobody else is watched.
		this.#kernel.readiness.wait(waitMs);
		this.#answer += this.#receive();
		const text = this.#answer;
		if (!isWhole(text)) return false;
		this.#answer = "";
		if (!/^HTTP\/1\.1 2\d\d /.test(text)) throw new Error(`a message was refused: ${text.slice(0, 300)}`);
		return true;
	}

	close(): void {
		this.#places.closeAll();
	}

	#request(text: string): Uint8Array {
		const { port, path, fields, before, after } = this.#door;
		const body = `${before}${text}${after}`;
		const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
		return UTF8.encode(
			`POST ${path} HTTP/1.1\r\nHost: localhost:${port}\r\n${lines.join("")}Content-Length: ${body.length}\r\n\r\n${body}`,
		);
	}

	#receive(): string {
		const count = this.#kernel.receive(this.#fd, HEAR_AT, HEAR_BYTES);
		if (count === -EAGAIN) return "";
		if (count <= 0)
			throw new Error(`a publisher's connection ended: ${count === 0 ? "closed" : errorName(-count)}`);
		return LATIN1.decode(this.#kernel.memory.subarray(HEAR_AT, HEAR_AT + count));
	}

	get #fd(): number {
		return this.#places.fd(0);
	}
}

/** A response of a known length, or in chunks. */
function isWhole(text: string): boolean {
	const head = text.indexOf("\r\n\r\n") + 4;
	if (head < 4) return false;
	if (/^transfer-encoding: *chunked/im.test(text.slice(0, head))) return text.endsWith("\r\n0\r\n\r\n");
	const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, head))?.[1] ?? 0);
	return text.length >= head + length;
}
