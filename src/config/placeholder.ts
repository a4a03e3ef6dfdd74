/** What other programs would put a value in place of: `${HOST}`, `$HOST`, `$(HOST)`, `{{ .Values.host }}`. */
const PLACEHOLDER = /\$\{[^}]*\}|\$\([^)]*\)|\$[A-Za-z_]\w*|\{\{.*\}\}/;

/** What to do about the placeholder in this text; null: it has none. */
export function adviceForPlaceholder(text: string): string | null {
	const [placeholder] = PLACEHOLDER.exec(text) ?? [];
	return placeholder === undefined
		? null
		: `"${placeholder}" is not replaced here: write the value, or make the file from a template (envsubst, Helm) before it is read`;
}
