/** What other programs would put a value in place of: `$HOST`, `$(HOST)`, `{{ .Values.host }}`. */
const PLACEHOLDER = /\$\(([^)]*)\)|\$([A-Za-z_]\w*)|\{\{.*\}\}/;

/** What to do about the placeholder in this text; null: it has none. `${HOST}` has been replaced by now. */
export function adviceForPlaceholder(text: string): string | null {
	const [placeholder, command, variable] = PLACEHOLDER.exec(text) ?? [];
	if (placeholder === undefined) return null;
	const name = variable ?? command ?? "";
	const instead = /^[A-Za-z_]\w*$/.test(name)
		? `write \${${name}}`
		: "write the value, or make the file from a template (Helm, for one) before it is read";
	return `"${placeholder}" is not replaced here: ${instead}`;
}
