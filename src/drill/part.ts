/** One connection that plays a script: what it has been answered, held against what it must be. */
import type { Answer, Script } from "./script.js";

/** What a script makes of what has come: more must come, it leaves now, or the target is at fault. */
export type Turn = "goes on" | "leaves" | { readonly fault: string };

/** Of an answer that is at fault, so much is shown. */
const SHOWN = 120;

export class Part {
	readonly script: Script;
	readonly number: number;
	#rest = "";
	#answered = 0;
	/** An end of the target is what it waits for. */
	#last = false;

	constructor(script: Script, number: number) {
		this.script = script;
		this.number = number;
	}

	/** Bytes have come, as Latin-1. */
	take(text: string): Turn {
		this.#rest += text;
		for (;;) {
			const answer = this.script.answers[this.#answered];
			if (answer === undefined) {
				if (this.#rest !== "") return this.#fault("bytes behind the last answer");
				return this.#afterAnswers();
			}
			const found = match(answer, this.#rest);
			if (found !== null && typeof found === "object") return this.#fault(found.fault);
			if (answer.kind === "anything") {
				const { leaves } = this.script;
				this.#rest = "";
				return leaves.when === "impatient" && leaves.afterAnswers <= this.#answered ? "leaves" : "goes on";
			}
			if (found === null) return "goes on";
			this.#last = /^connection: *close *$/im.test(this.#rest.slice(0, found));
			this.#rest = this.#rest.slice(found);
			this.#answered++;
			const { leaves } = this.script;
			if (leaves.when === "impatient" && this.#answered >= leaves.afterAnswers) return "leaves";
		}
	}

	/** The target has ended its direction, or reset. `null`: as it should. */
	end(how: "closed" | "reset"): string | null {
		const { answers } = this.script;
		const due = answers[this.#answered];
		if (due?.kind === "anything" || (due === undefined && how === "closed")) return null;
		return this.#describe(`${how} by the target after ${this.#answered} of ${answers.length} answers`);
	}

	/** It has waited too long. */
	get late(): string {
		return this.#describe(`${this.#answered} of ${this.script.answers.length} answers in time`);
	}

	/** All has come; whose turn is it to end? */
	#afterAnswers(): Turn {
		const { leaves, answers } = this.script;
		if (leaves.when !== "answered") return "goes on";
		const ends = leaves.halfCloses || this.#last || answers.at(-1)?.kind === "bytes";
		return ends ? "goes on" : "leaves";
	}

	#fault(what: string): Turn {
		return {
			fault: this.#describe(`answer ${this.#answered + 1} of ${this.script.answers.length}: ${what}`),
		};
	}

	#describe(what: string): string {
		const shown = this.#rest === "" ? "" : `: ${JSON.stringify(this.#rest.slice(0, SHOWN))}`;
		return `connection ${this.number}${this.script.tls ? " (TLS)" : ""}: ${what}${shown}`;
	}
}

/** Length of the answer at the front of `text`; `null`: not all of it has come. */
function match(answer: Answer, text: string): number | null | { readonly fault: string } {
	switch (answer.kind) {
		case "anything":
			return null;
		case "bytes": {
			const wanted = Buffer.from(answer.bytes).toString("latin1");
			if (!wanted.startsWith(text) && !text.startsWith(wanted)) return { fault: "the answer of another" };
			return text.length < wanted.length ? null : wanted.length;
		}
		case "response":
			return matchResponse(answer, text);
	}
}

function matchResponse(
	{ status, body, head }: Answer & { kind: "response" },
	text: string,
): number | null | { readonly fault: string } {
	const headEnd = text.indexOf("\r\n\r\n");
	if (headEnd < 0) return null;
	const fields = text.slice(0, headEnd + 2);
	const got = /^HTTP\/1\.1 (\d{3}) /.exec(fields)?.[1];
	if (got === undefined) return { fault: "no response of HTTP/1.1" };
	if (Number(got) !== status) return { fault: `status ${got} where ${status} was due` };
	const length = /^content-length: *(\d+) *\r$/im.exec(fields)?.[1];
	if (length === undefined) return { fault: "a response without Content-Length" };
	const bodyAt = headEnd + 4;
	if (head) return bodyAt;
	const end = bodyAt + Number(length);
	if (text.length < end) return null;
	if (body !== null && text.slice(bodyAt, end) !== body) return { fault: `not the answer to ${body}` };
	return end;
}
