/** Elements, and how numbers are written in them. */

type Child = Node | string | null;

/** Text is text: nothing that came from elsewhere is ever read as HTML. */
export function element<Name extends keyof HTMLElementTagNameMap>(
	name: Name,
	attributes: Readonly<Record<string, string>> = {},
	...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
	const made = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
	made.append(...children.filter((child) => child !== null));
	return made;
}

/** One that the page has from the beginning. */
export function byId(id: string): HTMLElement {
	const found = document.getElementById(id);
	if (found === null) throw new Error(`the page has no #${id}`);
	return found;
}

export function button(label: string, press: () => void): HTMLButtonElement {
	const made = element("button", { type: "button" }, label);
	made.onclick = press;
	return made;
}

export function duration(ms: number | null): string {
	if (ms === null) return "…";
	if (ms < 1_000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
	return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

export function amount(bytes: number): string {
	if (bytes < 1_024) return `${bytes} B`;
	return bytes < 1_048_576 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
	...{ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" },
});

export function clockTime(iso: string): string {
	return CLOCK.format(new Date(iso));
}
