/** All columns of a reactor's rows, over one buffer: who adds a class of columns adds it here, and nowhere else. */
import { type Columns, place } from "../parts/columns.js";
import { LineColumns } from "./lines/columns.js";
import { LinkColumns } from "./links/columns.js";
import { Inboxes } from "./memory/inboxes.js";
import { Http1Columns } from "./modes/http1/columns.js";
import { HubColumns } from "./modes/hub/columns.js";
import { Table } from "./table/table.js";
import { Paces } from "./wire/paces.js";
import { Secures } from "./wire/secures.js";

export interface ReactorRows {
	readonly table: Table;
	readonly inboxes: Inboxes;
	readonly secures: Secures;
	readonly paces: Paces;
	readonly links: LinkColumns;
	readonly lines: LineColumns;
	readonly exchanges: Http1Columns;
	readonly hubColumns: HubColumns;
}

/** Rows for so many sessions: one more, for whoever is told that there is no room. */
export function tableRows(sessions: number): number {
	return sessions + 1;
}

/** Rows of their own, or another thread's view of a reactor's, for reading. */
export function rowsOf(sessions: number, shared?: SharedArrayBuffer): ReactorRows {
	return place(
		tableRows(sessions),
		(layout) => ({
			table: new Table(layout),
			inboxes: new Inboxes(layout),
			secures: new Secures(layout),
			paces: new Paces(layout),
			links: new LinkColumns(layout),
			lines: new LineColumns(layout),
			exchanges: new Http1Columns(layout),
			hubColumns: new HubColumns(layout),
		}),
		shared,
	);
}

/** The classes of columns, by their names, for whoever looks at all that is known of a row. */
export function* classesOf(rows: ReactorRows): Generator<[string, Columns]> {
	for (const [name, columns] of Object.entries(rows) as [string, Columns][]) yield [name, columns];
	yield ["names", rows.table.names];
	yield ["serverNames", rows.secures.names];
	yield ["request", rows.exchanges.request];
	yield ["response", rows.exchanges.response];
}
