/**
 * Shows what is new in the elements that are there, which stay what they are: whoever is pressing one still hits it, and what is focused,
 * scrolled or marked stays so. Elements are known again by `data-key`, others by their place.
 */

/** `parent` has these children from now on, or its own that are like them. */
export function show(parent: Element, children: readonly Node[]): void {
	const focused = document.activeElement;
	patch(parent, children);
	// One that had to move has lost it.
	if (focused instanceof HTMLElement && focused !== document.activeElement && parent.contains(focused))
		focused.focus({ preventScroll: true });
}

function patch(parent: Element, children: readonly Node[]): void {
	const wanted = new Set(children.map(keyOf));
	const known = new Map<string, Element>();
	for (const child of [...parent.children]) {
		const key = keyOf(child);
		if (key === undefined) continue;
		if (wanted.has(key)) known.set(key, child);
		// Before the others, so that these need not move.
		else child.remove();
	}
	let place: Node | null = parent.firstChild;
	for (const child of children) {
		const key = keyOf(child);
		const there = key === undefined ? place : known.get(key);
		if (key !== undefined) known.delete(key);
		const isThere = there != null && keyOf(there) === key && there.nodeName === child.nodeName;
		if (isThere) take(there, child);
		const shown = isThere ? there : child;
		if (shown === place) place = shown.nextSibling;
		else parent.insertBefore(shown, place);
	}
	while (place !== null) {
		const next: Node | null = place.nextSibling;
		parent.removeChild(place);
		place = next;
	}
}

function keyOf(node: Node): string | undefined {
	return node instanceof HTMLElement ? node.dataset["key"] : undefined;
}

/** It becomes like the new one. */
function take(there: Node, next: Node): void {
	if (!(there instanceof HTMLElement) || !(next instanceof HTMLElement)) {
		if (there.nodeValue !== next.nodeValue) there.nodeValue = next.nodeValue;
		return;
	}
	for (const name of there.getAttributeNames()) if (!next.hasAttribute(name)) there.removeAttribute(name);
	for (const name of next.getAttributeNames()) {
		const value = next.getAttribute(name) ?? "";
		// The page's policy lets no attribute say how something looks.
		if (name === "style") there.style.cssText = next.style.cssText;
		else if (there.getAttribute(name) !== value) there.setAttribute(name, value);
	}
	// What is pressed does what it says now.
	there.onclick = next.onclick;
	patch(there, [...next.childNodes]);
}
