/** How the page looks, in the light and in the dark. */
import { BASE_STYLE } from "../../parts/page-base.js";

export const STYLE = `${BASE_STYLE}body { margin: 0; height: 100vh; display: flex; flex-direction: column; background: var(--back); color: var(--text); }
header { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; padding: 0.5rem 1rem; background: var(--raised); border-bottom: 1px solid var(--line); }
h1 { font-size: 1.05rem; margin: 0; }
h2 { font-size: 1rem; margin: 0; }
h3 { font-size: 0.95rem; margin: 0; }
#live { margin: 0; color: var(--faint); }
#live::before { content: "●"; margin-right: 0.35em; color: var(--other); }
#live.on::before { color: var(--good); }
#filter { flex: 1 1 12rem; max-width: 26rem; margin-left: auto; }
input, button, .button { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 6px; padding: 0.25rem 0.7rem; }
button, .button { cursor: pointer; text-decoration: none; }
button:hover:not(:disabled), .button:hover { border-color: var(--accent); }
button:disabled { opacity: 0.55; cursor: default; }
button[aria-pressed="true"] { background: var(--chosen); border-color: var(--accent); }
main { flex: 1; min-height: 0; display: grid; grid-template-columns: minmax(20rem, 2fr) 3fr; }
#requests { overflow: auto; border-right: 1px solid var(--line); }
#list { list-style: none; margin: 0; padding: 0; }
#list:focus-visible { outline-offset: -2px; }
#list li { display: grid; grid-template-columns: 3.2rem 4.2rem 1fr auto; gap: 0.5rem; align-items: baseline; padding: 0.3rem 1rem; border-bottom: 1px solid var(--line); cursor: pointer; }
#list li[aria-selected="true"] { background: var(--chosen); }
.target { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.target, .method, code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 0.92em; }
.method { font-weight: 600; }
.took, .note { color: var(--faint); }
.took { text-align: right; white-space: nowrap; }
.good { color: var(--good); }
.other { color: var(--other); }
.bad { color: var(--bad); }
.status { font-weight: 600; }
.replayed::before { content: "↻ "; color: var(--accent); }
#none { padding: 1rem; color: var(--faint); }
#detail { overflow: auto; padding: 0.75rem 1rem 2rem; }
#detail:focus { outline: none; }
.top { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: start; }
.top h2 { flex: 1 1 16rem; overflow-wrap: anywhere; font-weight: 600; }
.facts { display: flex; flex-wrap: wrap; gap: 0.5rem 1.75rem; margin: 0.75rem 0; }
.facts dt { color: var(--faint); font-size: 0.85em; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.half { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: 0.75rem; }
.half > p { margin: 0.3rem 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 0.4rem 0; font-size: 0.92em; }
th, td { text-align: left; vertical-align: top; padding: 0.12rem 0.6rem 0.12rem 0; font-weight: normal; overflow-wrap: anywhere; }
th { color: var(--faint); width: 13rem; min-width: 8rem; }
td { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.secret { color: var(--faint); font-style: italic; font-family: system-ui, sans-serif; }
.bar { display: flex; flex-wrap: wrap; gap: 0.4rem; align-items: center; margin: 0.5rem 0; }
pre { margin: 0; padding: 0.6rem 0.8rem; background: var(--raised); border: 1px solid var(--line); border-radius: 6px; overflow: auto; max-height: 32rem; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 2; }
pre.hex { white-space: pre; overflow-wrap: normal; }
footer { padding: 0.3rem 1rem; color: var(--faint); border-top: 1px solid var(--line); font-size: 0.85rem; }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 0.3em; font: inherit; }
@media (max-width: 50rem) {
	body { height: auto; }
	main { grid-template-columns: 1fr; }
	#requests { border-right: 0; border-bottom: 1px solid var(--line); max-height: 40vh; }
}
`;
