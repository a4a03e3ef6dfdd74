/** What a session takes of a reactor's tables, as these say it themselves. */

import { LOCAL_BYTES, SENDER_BYTES } from "../kernel/datagrams.js";
import { type Columns, Layout } from "../parts/columns.js";
import { LineColumns } from "../reactor/lines/columns.js";
import { LinkColumns } from "../reactor/links/columns.js";
import { Http1Columns } from "../reactor/modes/http1/columns.js";
import { HubColumns } from "../reactor/modes/hub/columns.js";
import { rowsOf, tableRows } from "../reactor/rows.js";
import { Table } from "../reactor/table/table.js";
import { Secures } from "../reactor/wire/secures.js";

type Class = new (layout: Layout) => Columns;

/** Bytes of a client's row and of an upstream's, in classes of columns. */
function bytesOf(...classes: readonly Class[]): { readonly client: number; readonly link: number } {
	const layout = new Layout(1);
	for (const columns of classes) new columns(layout);
	return { client: layout.clientBytes, link: layout.linkBytes };
}

export interface RowBytes {
	/** Of every session: its client's row and its upstream's. */
	readonly relayed: number;
	/** Beside that, of a connection whose requests are read. */
	readonly requests: number;
	/** Beside that, of a connection whose TLS ends here. */
	readonly tls: number;
	/** Of a subscriber of the hub, who has no upstream. */
	readonly subscriber: number;
	/** Of a line that is parked, which has no client. */
	readonly line: number;
	/** Beside the rows of a session of datagrams: what its client is known by. */
	readonly flow: number;
}

/** Beside the addresses: numbers of the client's place among others, of questions and answers, and of when it moved (`flows.ts`). */
const FLOW_NUMBERS_BYTES = 44;

export function rowBytes(): RowBytes {
	const all = (...classes: readonly Class[]): number => {
		const { client, link } = bytesOf(...classes);
		return client + link;
	};
	return {
		relayed: all(Table),
		requests: all(Http1Columns, LinkColumns),
		tls: all(Secures),
		subscriber: bytesOf(Table, Http1Columns, HubColumns).client,
		line: bytesOf(Table, LinkColumns, LineColumns).link,
		flow: SENDER_BYTES + LOCAL_BYTES + FLOW_NUMBERS_BYTES,
	};
}

/** Address space that is reserved in a reactor for each session that there may be: of all classes, written or not. */
export function rowBytesReserved(): number {
	return Math.ceil(rowsOf(0).table.buffer.byteLength / tableRows(0));
}
