/** Exchanges as the API shows them. */
import type { BodyView, Detail, FieldView, HalfView, Summary } from "./api.js";
import type { Exchange, HalfMessage } from "./exchange.js";
import { type Field, fieldLines, fieldsOfHead, firstLine, listOf } from "./fields.js";
import { readable } from "./readable.js";
import { whyNoReplay } from "./replay.js";
import { isSecret } from "./secrets.js";
import { unpack } from "./unpack.js";

/** In the list. */
const TARGET_MAX = 512;

/** Of a body that was packed, so much is shown. */
export const SHOWN_MAX_BYTES = 262_144;

export function summaryOf(exchange: Exchange): Summary {
	const { target, status, firstByteMs, durationMs, upgrade } = exchange;
	return {
		...{ id: exchange.id, revision: exchange.revision, tunnel: exchange.tunnel },
		...{ replay_of: exchange.replayOf ?? null, method: exchange.method },
		target: target.length > TARGET_MAX ? `${target.slice(0, TARGET_MAX - 1)}…` : target,
		...{ host: exchange.host, status: status === 0 ? null : status },
		...{ state: exchange.state, why: exchange.why ?? null, began: new Date(exchange.beganMs).toISOString() },
		first_byte_ms: rounded(firstByteMs),
		duration_ms: rounded(durationMs),
		request_bytes: exchange.request.body.total,
		response_bytes: exchange.response.body.total,
		upgrade:
			upgrade === undefined
				? null
				: {
						protocol: upgrade.protocol,
						bytes_from_visitor: upgrade.bytesFromVisitor,
						bytes_to_visitor: upgrade.bytesToVisitor,
					},
	};
}

/** To a hundredth. */
function rounded(ms: number | undefined): number | null {
	return ms === undefined ? null : Math.round(ms * 100) / 100;
}

export interface Asked {
	/** Values of secret fields, too. */
	readonly secrets: boolean;
	/** Requests that are being sent again now. */
	readonly replays: number;
}

export async function detailOf(exchange: Exchange, { secrets, replays }: Asked): Promise<Detail> {
	const [request, response] = [
		await halfOf(exchange.request, secrets),
		await halfOf(exchange.response, secrets),
	];
	const fields = [request, response].flatMap((half) =>
		half === null ? [] : [...half.fields, ...half.trailers],
	);
	return {
		...summaryOf(exchange),
		...{ target: exchange.target, request, response, interim: [...exchange.interim] },
		hidden: fields.filter(({ value }) => value === null).length,
		no_replay: whyNoReplay(exchange, replays) ?? null,
	};
}

async function halfOf(half: HalfMessage, secrets: boolean): Promise<HalfView | null> {
	if (!half.hasHead) return null;
	const head = half.head.bytes;
	const fields = fieldsOfHead(head);
	return {
		line: firstLine(head),
		fields: fields.map((field) => fieldView(field, secrets)),
		body: await bodyOf(half, fields),
		trailers: fieldLines(half.trailers.bytes, 0).map((field) => fieldView(field, secrets)),
		complete: half.isOver,
	};
}

function fieldView({ name, value }: Field, secrets: boolean): FieldView {
	const secret = isSecret(name);
	return { name, value: secret && !secrets ? null : value, secret };
}

async function bodyOf({ body }: HalfMessage, fields: readonly Field[]): Promise<BodyView> {
	const type = listOf(fields, "content-type");
	const encoding = listOf(fields, "content-encoding");
	const { bytes, cut, fault } = await unpack(body.bytes, encoding, SHOWN_MAX_BYTES);
	const isCut = cut || !body.isWhole;
	return {
		...{ bytes: body.total, kept_bytes: body.bytes.length, type, encoding },
		...readable(bytes, type, isCut),
		...{ cut: isCut, fault: fault ?? null },
	};
}
