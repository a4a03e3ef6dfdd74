/**
 * Subscribes to one channel of a hub from a browser, for as long as the page is there: over WebSocket or server-sent events, connecting
 * again behind the last message that came. Take it as it is, or as a pattern for your own (docs/hub.md, docs/hub-wire.md).
 *
 *     const subscription = subscribe(overWebSocket, "/channels/", "prices", {
 *       message({ id, key, data }) {},          // each once, in order
 *       gap({ missed }) {},                     // so many were left out here, because we were too slow
 *       tooOld({ after, id }) {},               // what was missed is gone: load the whole state anew, from where your service has it
 *       state({ name, detail }) {},             // connecting, live, waiting, over
 *     });
 *     subscription.drop();                        // as a bad network would
 *     subscription.end();
 */

/** The first wait after a connection that was lost, and the longest. */
const WAIT_FIRST_MS = 500;
const WAIT_LONGEST_MS = 30_000;
/** What has lived for so long was a good one: the next wait is a short one again. */
const GOOD_AFTER_MS = 10_000;

/** Coming back does not help: the token is not for this channel, or the hub does not understand us. */
const FINAL_CODES = new Set([1002, 1003, 1007, 1008, 1009, 4401, 4403]);

export function subscribe(open, base, channel, heard) {
	/** The last message that we have had, or what the hub says is before the next one. */
	let after = null;
	let attempts = 0;
	let liveSinceMs = 0;
	let isOver = false;
	let timer;
	let connection;

	function connect() {
		timer = undefined;
		heard.state({ name: "connecting", detail: after === null ? "from now on" : `behind ${after}` });
		connection = open(addressOf(base, channel, after), {
			subscribed({ id, history = 0 }) {
				liveSinceMs = performance.now();
				// Where missed messages follow, we are where we were until they have come.
				if (history === 0) after = id;
				heard.state({ name: "live", detail: history > 0 ? `${history} missed messages follow` : "" });
			},
			message(message) {
				after = message.id;
				heard.message(message);
			},
			gap: (gap) => heard.gap(gap),
			too_old: (notice) => heard.tooOld(notice),
			ended,
		});
	}

	function ended({ code, reason, retryAfterMs }) {
		if (liveSinceMs > 0 && performance.now() - liveSinceMs > GOOD_AFTER_MS) attempts = 0;
		liveSinceMs = 0;
		if (isOver || FINAL_CODES.has(code)) {
			heard.state({ name: "over", detail: reason });
			return;
		}
		// The hub spreads out whom it sends away. All others do so themselves, or they would come back in one moment.
		const longestMs = Math.min(WAIT_LONGEST_MS, WAIT_FIRST_MS * 2 ** attempts++);
		const waitMs = retryAfterMs ?? longestMs * (0.5 + Math.random() / 2);
		heard.state({ name: "waiting", detail: `${reason}; again in ${Math.round(waitMs)} ms` });
		timer = setTimeout(connect, waitMs);
	}

	/** The network is back: there is no reason to wait any longer. */
	function online() {
		if (timer === undefined) return;
		clearTimeout(timer);
		connect();
	}

	addEventListener("online", online);
	connect();
	return {
		drop: () => connection.close(),
		end() {
			isOver = true;
			removeEventListener("online", online);
			clearTimeout(timer);
			connection.close();
		},
	};
}

/** A way to open a connection: `close()` closes it, and whatever ends it, `hears.ended` is called once, and nothing behind it. */
export function overWebSocket(address, hears) {
	const url = new URL(address);
	url.protocol = url.protocol.replace("http", "ws");
	const socket = new WebSocket(url, "sluice-hub.v1");
	const ended = once(hears.ended);
	socket.onmessage = ({ data }) => {
		// What was published as bytes comes as a Blob, with a header in front. The channels of this page have text.
		if (ended.isDone || typeof data !== "string") return;
		const { type, ...rest } = JSON.parse(data);
		if (type === "unsubscribed" || type === "error") socket.close(1000, rest.code ?? type);
		else hears[type]?.(rest);
	};
	socket.onclose = ({ code, reason }) => {
		const [text, ms] = reason.split("; retry_after_ms=");
		// 1006: it broke, or was refused before it began. Browsers do not say which.
		const why = text || (code === 1006 ? "broken, or refused" : "closed");
		ended({ code, reason: why, retryAfterMs: ms === undefined ? undefined : Number(ms) });
	};
	return {
		close() {
			socket.close();
			// The other side may be out of reach, and never answer.
			ended({ code: 1000, reason: "dropped" });
		},
	};
}

export function overEvents(address, hears) {
	const source = new EventSource(address);
	const ended = once((why) => {
		source.close();
		hears.ended(why);
	});
	source.onmessage = ({ lastEventId, data }) => hears.message({ id: lastEventId, ...JSON.parse(data) });
	for (const type of ["subscribed", "gap", "too_old"])
		source.addEventListener(type, ({ data }) => hears[type](JSON.parse(data)));
	source.addEventListener("unsubscribed", ({ data }) => ended({ code: 1000, ...JSON.parse(data) }));
	source.addEventListener("end", ({ data }) => {
		const { code, reason, retry_after_ms: retryAfterMs } = JSON.parse(data);
		ended({ code, reason, retryAfterMs });
	});
	// The browser would come back by itself, but all browsers after the same time.
	source.onerror = () => ended({ code: 1006, reason: "broken, or refused" });
	return { close: () => ended({ code: 1000, reason: "dropped" }) };
}

function once(call) {
	const first = (why) => {
		if (first.isDone) return;
		first.isDone = true;
		call(why);
	};
	first.isDone = false;
	return first;
}

function addressOf(base, channel, after) {
	const url = new URL(base + channel.split("/").map(encodeURIComponent).join("/"), location.href);
	if (after !== null) url.searchParams.set("after", after);
	return url.href;
}
