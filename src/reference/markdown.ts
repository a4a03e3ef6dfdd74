/** What pages of the reference are made of: the head that says where they come from, tables, links to the documents around them. */

import { basename } from "node:path";

export interface ReferencePage {
	/** In `docs/reference/`. */
	readonly file: string;
	readonly text: string;
}

/** `source`: the files of a checkout that it is made from. `intro`: what a reader must know before the first table. */
export function page(
	file: string,
	{
		title,
		source,
		intro,
		body,
	}: { title: string; source: readonly string[]; intro: string; body: readonly string[] },
): ReferencePage {
	const from = source.map(code).join(", ");
	const made = `Made from ${from} by \`npm run reference\`: what is to be changed is changed there.`;
	return { file, text: `${[`# ${title}`, intro, made, ...body].join("\n\n")}\n` };
}

/** A row of as many cells as there are heads. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
	const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
	return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A bar would end the cell, also within code; a line break the row. */
function cell(text: string): string {
	return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

export function code(text: string): string {
	return `\`${text}\``;
}

/** As GitHub names a heading. */
export function anchorOf(heading: string): string {
	return heading
		.toLowerCase()
		.replace(/[^\w -]/g, "")
		.replaceAll(" ", "-");
}

/** To a page of `docs/`: `udp.md#deadlines`, `reference/reasons.md`. */
export function moreAt(see: string): string {
	const [file = "", heading] = see.split("#");
	const path = file.startsWith("reference/") ? see.slice("reference/".length) : `../${see}`;
	return `[${(heading ?? basename(file, ".md")).replaceAll("-", " ")}](${path})`;
}
