/** The good client as the run sees it: which process asks, what it asks, and its attempts. */
import { Helper } from "../rig/helper.js";
import { tagOf } from "./datagram-traffic.js";
import type { ListenerKind } from "./drill.js";
import { HUB_CHANNELS, publishersDoor, readersOf, subscribersDoor } from "./hub-traffic.js";
import type {
	Attempt,
	ClientAsk,
	ClientNews,
	ClientOrder,
	DatagramClientOrder,
	HubAudienceNews,
	HubAudienceOrder,
	HubAudienceStart,
} from "./messages.js";
import type { Target } from "./target.js";
import { HTTP_ANSWER, keptRequest, NAMES, sayings, TLS_ANSWER, toBase64, WEB_BODY } from "./traffic.js";

/** Where it comes from, so that limits per address do not take it for one of the attackers. */
const SOURCE = "127.0.0.2";

/** Which process it is. */
const SCRIPTS: Readonly<Record<ListenerKind, string>> = {
	...{ relay: "client.js", http: "client.js", tls: "client.js", agents: "client.js" },
	...{ udp: "datagram-client.js", hub: "hub-audience.js" },
};

export class GoodClient {
	readonly attempts: Attempt[] = [];
	readonly #helper: Helper<ClientOrder | DatagramClientOrder | HubAudienceOrder, HubAudienceNews>;

	constructor(listener: ListenerKind) {
		this.#helper = new Helper(new URL(SCRIPTS[listener], import.meta.url));
		this.#helper.listen((news) => this.attempts.push(...news.attempts));
	}

	get failure(): Promise<never> {
		return this.#helper.failure;
	}

	/** `connections`: of the drill; the good client of a hub is those of them who read. */
	async start(target: Target, listener: ListenerKind, connections: number): Promise<void> {
		const { address } = target;
		const port = target.clientPort ?? target.port;
		if (listener === "hub") {
			this.#helper.order(audience(target, connections));
			await this.#helper.answer((news): news is HubAudienceNews => news.subscribed === true);
			return;
		}
		if (listener === "udp") {
			const hello = toBase64((await sayings("good")).hello);
			this.#helper.order({
				do: "start",
				...{ address, port, source: SOURCE, hello, tag: toBase64(tagOf("good")) },
			});
			return;
		}
		this.#helper.order({
			do: "start",
			...{ address, port },
			source: address.startsWith("127.") ? SOURCE : null,
			tls: listener === "tls" ? NAMES.good : null,
			asks: await clientAsks(target, listener),
		});
	}

	/** Asks no more, and waits for the answers that are due. Returns what it says last. */
	async finish(): Promise<HubAudienceNews> {
		this.#helper.order({ do: "finish" });
		const last = await this.#helper.answer((news): news is ClientNews => news.finished);
		this.attempts.push(...last.attempts);
		await this.#helper.stop();
		return last;
	}

	stop(): Promise<void> {
		return this.#helper.stop();
	}
}

function audience(target: Target, connections: number): HubAudienceStart {
	const { publishPort } = target;
	if (publishPort === undefined) throw new Error(`nobody can publish to ${target.label}`);
	const doors = HUB_CHANNELS.map(({ name }) => [
		name,
		{ subscribe: subscribersDoor(target, name), publish: publishersDoor(publishPort, name) },
	]);
	return { do: "start", subscribers: readersOf(connections), doors: Object.fromEntries(doors) };
}

async function clientAsks(target: Target, listener: ListenerKind): Promise<ClientAsk[]> {
	const { hello, request } = await sayings("good");
	// Nobody knows the names that a given target routes, but every proxy has some answer to a request.
	if (target.kind === "given") return [{ say: toBase64(request), expect: { kind: "any" }, kept: false }];
	if (listener !== "relay") {
		const expect = { kind: "response", body: WEB_BODY } as const;
		return [
			{ say: toBase64(keptRequest("good")), expect, kept: true },
			{ say: toBase64(request), expect, kept: false },
		];
	}
	return [
		{ say: toBase64(hello), expect: { kind: "bytes", bytes: toBase64(TLS_ANSWER) }, kept: false },
		{ say: toBase64(request), expect: { kind: "bytes", bytes: toBase64(HTTP_ANSWER) }, kept: false },
	];
}
