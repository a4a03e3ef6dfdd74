/** A body: laid out, as text, or byte by byte. */

import { amount, button, element } from "../../../browser/dom.js";
import type { BodyView } from "../api.js";
import { askBytes, bodyPath, type Half } from "./ask.js";

/** More bytes than that nobody reads in hexadecimal: they can be saved. */
const HEX_MAX = 16_384;

export type Form = "pretty" | "text" | "hex";

const NAMES: Readonly<Record<Form, string>> = { pretty: "Pretty", text: "Text", hex: "Hex" };

export interface Shown {
	readonly id: number;
	readonly half: Half;
	readonly body: BodyView;
	/** As it was shown last. */
	readonly form: Form | undefined;
	readonly choose: (form: Form) => void;
}

export function bodyElements({ id, half, body, form, choose }: Shown): HTMLElement[] {
	if (body.kind === "empty") return body.bytes === 0 ? [] : [note(body)];
	const forms: Form[] = ["hex"];
	if (body.text !== null) forms.unshift("text");
	if (body.pretty !== null) forms.unshift("pretty");
	const view = element("pre", { tabindex: "0", "aria-label": `Content of the ${half}` });
	const buttons = forms.map((each) => button(NAMES[each], () => show(each)));
	const show = (chosen: Form): void => {
		choose(chosen);
		for (const [index, each] of forms.entries())
			buttons[index]?.setAttribute("aria-pressed", String(each === chosen));
		view.className = chosen;
		if (chosen === "hex") void showHex(view, id, half);
		else view.textContent = (chosen === "pretty" ? body.pretty : body.text) ?? "";
	};
	show(form !== undefined && forms.includes(form) ? form : (forms[0] ?? "hex"));
	const save = element("a", { class: "button", href: bodyPath(id, half), download: "" }, "Save");
	return [note(body), element("div", { class: "bar" }, ...buttons, save), view];
}

function note({ bytes, kept_bytes, type, encoding, cut, fault }: BodyView): HTMLElement {
	const parts = [amount(bytes)];
	if (kept_bytes < bytes) parts.push(`the first ${amount(kept_bytes)} kept`);
	else if (cut) parts.push("the first of it shown");
	if (type !== "") parts.push(type);
	if (encoding !== "") parts.push(`packed as ${encoding}`);
	if (fault !== null) parts.push(fault);
	return element("p", { class: "note" }, parts.join(", "));
}

async function showHex(view: HTMLElement, id: number, half: Half): Promise<void> {
	try {
		const bytes = await askBytes(id, half);
		const more = bytes.length - HEX_MAX;
		view.textContent = `${hexLines(bytes.subarray(0, HEX_MAX))}${more > 0 ? `\n… and ${amount(more)} more` : ""}`;
	} catch (error) {
		view.textContent = (error as Error).message;
	}
}

/** `00000010  68 65 6c 6c 6f …  hello` */
function hexLines(bytes: Uint8Array): string {
	const lines: string[] = [];
	for (let at = 0; at < bytes.length; at += 16) {
		const row = [...bytes.subarray(at, at + 16)];
		const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
		const text = row.map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
		lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${text}`);
	}
	return lines.join("\n");
}
