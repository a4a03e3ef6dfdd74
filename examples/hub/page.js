/** The page: one channel, over both protocols side by side, and whether all of it has come. */
import { Chart } from "./chart.js";
import { overEvents, overWebSocket, subscribe } from "./subscribe.js";

const NOTICES_MAX = 50;
const STALL_MS = 3_000;

const asked = new URLSearchParams(location.search);
/** Another hub: /?hub=https://push.example.com/channels/&channel=prices, where its hub.origins names this page. */
const base = asked.get("hub") ?? "/channels/";
const channel = asked.get("channel") ?? "prices";

/** The service numbers its messages, so that the page can hold the hub to its word: what has not come was told. */
class Tally {
	received = 0;
	missed = 0;
	/** Messages that are missing, or that we were told of, and not both. */
	unexplained = 0;
	twice = 0;
	#last;
	#missedSince = 0;
	/** Nobody knows how many there were in front of the next one. */
	#isOpen = true;

	missing(count) {
		this.missed += count;
		this.#missedSince += count;
	}

	open() {
		this.#isOpen = true;
	}

	take({ run, n }) {
		this.received++;
		if (n === undefined) return;
		const between = n - (this.#last?.n ?? 0) - 1;
		if (this.#last?.run === run && !this.#isOpen) {
			if (between < 0) this.twice++;
			else this.unexplained += Math.abs(between - this.#missedSince);
		}
		this.#last = { run, n };
		this.#missedSince = 0;
		this.#isOpen = false;
	}
}

class Panel {
	#root;
	#chart;
	#tally = new Tally();
	#connections = 0;
	#subscription;

	constructor(id, open) {
		this.#root = document.getElementById(id);
		this.#root.append(document.getElementById("panel").content.cloneNode(true));
		this.#chart = new Chart(this.#at("canvas"));
		this.#at(".drop").onclick = () => this.#subscription.drop();
		this.#subscription = subscribe(open, base, channel, {
			message: (message) => this.#message(message),
			gap: ({ missed }) => {
				this.#tally.missing(missed);
				this.#chart.break();
				this.#notice("gap", `${missed} messages were left out: this page was too slow for them`);
				this.#show();
			},
			tooOld: ({ after }) => {
				this.#tally.open();
				this.#chart.break();
				this.#notice("too_old", `what came behind ${after} is gone: it would be loaded anew`);
			},
			state: (state) => this.#state(state),
		});
	}

	#at(selector) {
		return this.#root.querySelector(selector);
	}

	#message({ id, data }) {
		const value = JSON.parse(data);
		// `sluice publish prices 42.07` does as well: a number alone.
		const { run, n, at = Date.now(), price = value } = value;
		this.#tally.take({ run, n });
		this.#chart.add(at, price);
		this.#at(".price").textContent = price.toFixed(2);
		this.#at(".id").textContent = id;
		this.#at(".delay").textContent = `${Math.max(0, Date.now() - at)} ms`;
		this.#show();
	}

	#show() {
		for (const figure of ["received", "missed", "unexplained", "twice"])
			this.#at(`.${figure}`).textContent = this.#tally[figure];
	}

	#state({ name, detail }) {
		if (name === "live") this.#at(".connections").textContent = ++this.#connections;
		this.#root.dataset.state = name;
		this.#at(".state").textContent = name;
		if (detail !== "") this.#notice(name, detail);
	}

	#notice(kind, text) {
		const list = this.#at(".notices");
		const line = document.createElement("li");
		line.className = kind;
		line.textContent = `${new Date().toLocaleTimeString()} ${kind}: ${text}`;
		list.prepend(line);
		while (list.childElementCount > NOTICES_MAX) list.lastElementChild.remove();
	}
}

document.getElementById("channel").textContent = channel;
new Panel("websocket", overWebSocket);
new Panel("events", overEvents);

/** Nothing of the tab runs meanwhile: what has been sent waits in its sockets, and behind those in the hub. */
document.getElementById("stall").onclick = () => {
	const untilMs = performance.now() + STALL_MS;
	while (performance.now() < untilMs);
};
