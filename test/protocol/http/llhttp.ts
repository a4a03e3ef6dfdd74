/**
 * Node's own parser, llhttp in its strict mode, as the second reader in differential tests. Node keeps it to itself;
 * `process.binding` still hands it out, with a deprecation warning, which is why this is nothing but a test's peer.
 */

type HeadersComplete = (
	versionMajor: number,
	versionMinor: number,
	headers: string[] | undefined,
	method: number | undefined,
	url: string | undefined,
	statusCode: number | undefined,
	statusMessage: string | undefined,
	upgrade: boolean,
	shouldKeepAlive: boolean,
) => number;

interface RawParser {
	initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
	execute(bytes: Uint8Array): number | Error;
	finish(): undefined | Error;
	[callback: number]: unknown;
}

interface Binding {
	readonly allMethods: readonly string[];
	readonly HTTPParser: {
		new (): RawParser;
		readonly REQUEST: number;
		readonly RESPONSE: number;
		readonly kOnHeaders: number;
		readonly kOnHeadersComplete: number;
		readonly kOnBody: number;
		readonly kOnMessageComplete: number;
		readonly kLenientNone: number;
	};
}

function load(): Binding {
	process.noDeprecation = true;
	const { binding } = process as unknown as { binding(name: string): unknown };
	const loaded = binding.call(process, "http_parser") as Binding;
	process.noDeprecation = false;
	return loaded;
}

const { HTTPParser, allMethods: methods } = load();

/** The names of all methods that it knows. */
export const LLHTTP_METHODS = methods;

/** Larger than any input here: we refuse heads by their size first. */
const HEADER_SIZE_BYTES = 64 * 1024;

/** What it said about the head that it read last, and how much has happened since {@link Llhttp.begin}. */
export class Llhttp {
	headCount = 0;
	messageCount = 0;
	bodyBytes = 0;
	method = "";
	url = "";
	versionMajor = 0;
	versionMinor = 0;
	statusCode = 0;
	statusMessage = "";
	/** Names and values in turn. */
	fields: string[] = [];
	keepAlive = false;
	upgrade = false;
	/** The code of its error, such as HPE_INVALID_HEADER_TOKEN; empty while it is content. */
	error = "";
	/** Whether the next heads answer HEAD. */
	skipsBody = false;
	readonly #parser: RawParser;

	constructor() {
		this.#parser = new HTTPParser();
		const onFields = (headers: string[], url: string) => {
			// It flushes every 32 fields, and those of trailers.
			if (this.#isReadingHead) {
				this.fields.push(...headers);
				this.url += url;
			}
		};
		const onHead: HeadersComplete = (
			major,
			minor,
			headers,
			method,
			url,
			status,
			message,
			upgrade,
			keepAlive,
		) => {
			if (headers !== undefined) this.fields.push(...headers);
			if (url !== undefined) this.url += url;
			this.versionMajor = major;
			this.versionMinor = minor;
			this.method = method === undefined ? "" : (methods[method] ?? "");
			this.statusCode = status ?? 0;
			this.statusMessage = message ?? "";
			this.upgrade = upgrade;
			this.keepAlive = keepAlive;
			this.headCount++;
			this.#isReadingHead = false;
			return this.skipsBody ? 1 : 0;
		};
		this.#parser[HTTPParser.kOnHeaders] = onFields;
		this.#parser[HTTPParser.kOnHeadersComplete] = onHead;
		this.#parser[HTTPParser.kOnBody] = (body: Uint8Array) => {
			this.bodyBytes += body.length;
		};
		this.#parser[HTTPParser.kOnMessageComplete] = () => {
			this.messageCount++;
			this.#isReadingHead = true;
		};
	}

	#isReadingHead = true;

	/** Forgets everything and begins a new stream. */
	begin(kind: "request" | "response"): void {
		const type = kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
		this.#parser.initialize(type, {}, HEADER_SIZE_BYTES, HTTPParser.kLenientNone);
		this.headCount = 0;
		this.messageCount = 0;
		this.bodyBytes = 0;
		this.error = "";
		this.skipsBody = false;
		this.beginMessage();
	}

	/** Forgets what the last head said. */
	beginMessage(): void {
		this.fields = [];
		this.url = "";
		this.bodyBytes = 0;
		this.upgrade = false;
		this.#isReadingHead = true;
	}

	/** Feeds bytes[start, end), unless it is broken already. */
	feed(bytes: Uint8Array, start: number, end: number): void {
		if (this.error !== "" || start >= end) return;
		const result = this.#parser.execute(bytes.subarray(start, end));
		if (typeof result !== "number") this.error = (result as Error & { code?: string }).code ?? "HPE_UNKNOWN";
	}

	/** The connection ends. */
	finish(): void {
		const result = this.#parser.finish();
		if (result instanceof Error) this.error = (result as Error & { code?: string }).code ?? "HPE_UNKNOWN";
	}
}
