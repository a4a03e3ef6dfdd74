/** Bodies of requests: whole, bounded, and few at a time of those that are not there at once. */
import type { IncomingMessage } from "node:http";

/** Bodies that are waited for: each may hold as many bytes as it may have, and a descriptor. What comes with its head counts not. */
const WAITING_MAX = 8;

/** The body of one request. */
export interface RequestBody {
	/** `content-type`, as it was sent; empty without one. */
	readonly type: string;
	/** All of it; or why there is none. It is asked once, and in the turn in which the request came. */
	read(bytesMax: number): Promise<Buffer | BodyRefusal>;
}

/** `busy`: too many others are waited for. `gone`: so is the client. */
export type BodyRefusal = "too_large" | "busy" | "gone";

export class Bodies {
	#waiting = 0;

	of(request: IncomingMessage): RequestBody {
		return {
			type: request.headers["content-type"] ?? "",
			read: (bytesMax) => this.#read(request, bytesMax),
		};
	}

	/** What is refused is read on and dropped: closing amid it would take the answer with it. The guard ends what does not end. */
	#read(request: IncomingMessage, bytesMax: number): Promise<Buffer | BodyRefusal> {
		return new Promise((resolve) => {
			const parts: Buffer[] = [];
			let bytes = 0;
			let holdsPlace = false;
			const end = (outcome: Buffer | BodyRefusal): void => {
				request.off("data", take).off("end", whole).off("close", gone);
				clearImmediate(later);
				if (holdsPlace) this.#waiting--;
				parts.length = 0;
				if (typeof outcome === "string") request.resume();
				resolve(outcome);
			};
			const take = (part: Buffer): void => {
				bytes += part.length;
				if (bytes > bytesMax) end("too_large");
				else parts.push(part);
			};
			const whole = (): void => end(Buffer.concat(parts));
			const gone = (): void => end("gone");
			const later = setImmediate(() => {
				if (this.#waiting >= WAITING_MAX) {
					end("busy");
					return;
				}
				this.#waiting++;
				holdsPlace = true;
			});
			request.on("data", take).once("end", whole).once("close", gone);
			if (Number(request.headers["content-length"] ?? 0) > bytesMax) end("too_large");
		});
	}
}
