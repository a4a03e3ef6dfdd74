/** How the dashboard looks, in the light and in the dark, on a desk and on a phone. */
import { BASE_STYLE } from "../../parts/page-base.js";

export const STYLE = `${BASE_STYLE}:root {
	--one: #1f6feb;
	--two: #c2410c;
	--three: #15803d;
	--four: #7c3aed;
	--five: #b45309;
	--six: #0e7490;
}
@media (prefers-color-scheme: dark) {
	:root {
		--one: #6cb0ff;
		--two: #ff9a62;
		--three: #56d364;
		--four: #c4a5ff;
		--five: #e3b341;
		--six: #5fd3e6;
	}
}
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--back); color: var(--text); }
a { color: var(--accent); }
header { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; align-items: center; padding: 0.5rem 1rem; background: var(--raised); border-bottom: 1px solid var(--line); }
.sign { font-weight: 700; font-size: 1.1rem; text-decoration: none; color: inherit; }
#live { margin: 0; color: var(--faint); }
#live::before { content: "●"; margin-right: 0.35em; color: var(--bad); }
#live.on::before { color: var(--good); }
nav { flex: 1; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.1rem; }
nav a { display: block; padding: 0.25rem 0.6rem; border-radius: 6px; text-decoration: none; color: inherit; }
nav a:hover { background: var(--chosen); }
nav a[aria-current] { background: var(--chosen); font-weight: 600; }
main { flex: 1; min-height: 0; padding: 0.75rem 1rem 1.5rem; display: flex; flex-direction: column; }
#view { flex: 1; min-height: 0; display: flex; flex-direction: column; }
#view > div { min-width: 0; }
h1 { font-size: 1.15rem; margin: 0 0 0.5rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
h2 { font-size: 0.95rem; margin: 0 0 0.3rem; }
input, button, textarea { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 6px; padding: 0.25rem 0.7rem; }
button { cursor: pointer; }
button:hover { border-color: var(--accent); }
.tiles { list-style: none; margin: 0 0 0.75rem; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: 0.5rem; }
.tiles a { display: flex; flex-direction: column; height: 100%; padding: 0.5rem 0.75rem; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; text-decoration: none; color: inherit; }
.tiles a:hover { border-color: var(--accent); }
.tiles strong { font-size: 1.35rem; font-variant-numeric: tabular-nums; line-height: 1.25; }
.tiles .bad a { border-color: var(--bad); }
.tiles .bad strong { color: var(--bad); }
.name, .beside, small { color: var(--faint); }
.beside, small { font-size: 0.85em; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0.5rem; }
figure { margin: 0; padding: 0.4rem 0.6rem; border: 1px solid var(--line); border-radius: 8px; min-width: 0; overflow: hidden; }
figcaption { font-weight: 600; }
figcaption a { color: inherit; text-decoration: none; }
figcaption a:hover { text-decoration: underline; }
figure > div { min-height: 150px; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; min-height: 1.45em; margin: 0; font-size: 0.85em; font-variant-numeric: tabular-nums; color: var(--faint); }
.s0 { background: var(--one); } .s1 { background: var(--two); } .s2 { background: var(--three); } .s3 { background: var(--four); } .s4 { background: var(--five); } .s5 { background: var(--six); }
.parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); gap: 1rem; margin-top: 1rem; }
.bars { list-style: none; margin: 0; padding: 0; }
.bars li { position: relative; display: flex; justify-content: space-between; gap: 0.5rem; padding: 0.15rem 0.35rem; margin-bottom: 2px; overflow: hidden; }
.bars a { z-index: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars .count { z-index: 1; font-variant-numeric: tabular-nums; }
.bars .bar { position: absolute; inset-block: 0; inset-inline-start: 0; background: var(--raised); border-inline-start: 3px solid var(--one); border-radius: 3px; }
.none { color: var(--faint); margin: 0.25rem 0; }
.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 0.35rem; margin-bottom: 0.5rem; }
.filters input { min-width: 0; width: 100%; }
.tools { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; margin: 0 0 0.5rem; }
.tools p { margin: 0; font-variant-numeric: tabular-nums; }
.filled { flex: 1; min-height: 24rem; display: flex; flex-direction: column; }
.grid { flex: 1; min-height: 16rem; max-height: calc(100vh - 13rem); overflow: auto; border: 1px solid var(--line); border-radius: 8px; position: relative; }
.heads { position: sticky; top: 0; z-index: 1; width: max-content; min-width: 100%; }
.rows { position: relative; width: max-content; min-width: 100%; min-block-size: 1px; }
.row { display: grid; grid-template-columns: var(--columns); height: 30px; align-items: center; min-width: max(100%, 68rem); }
.rows .row { position: absolute; inset-inline: 0; border-bottom: 1px solid var(--line); cursor: pointer; }
.rows .row:hover { background: var(--raised); }
.row[aria-selected="true"], .rows .row[aria-selected="true"]:hover { background: var(--chosen); }
.row > div { padding: 0 0.5rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.head { background: var(--raised); border-bottom: 1px solid var(--line); font-weight: 600; }
.head button { all: unset; cursor: pointer; color: var(--accent); }
.head button:focus-visible { outline: 2px solid var(--accent); }
[aria-sort="descending"] button::after { content: " ▾"; }
[aria-sort="ascending"] button::after { content: " ▴"; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; margin-bottom: 1rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.2rem; }
.wide th, .wide td { text-align: left; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid var(--line); font-weight: normal; vertical-align: top; }
.wide thead th { color: var(--faint); }
.good { color: var(--good); }
.bad, .fault { color: var(--bad); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 0.5rem 1rem; margin: 0.75rem 0; }
.facts div { min-width: 0; }
.facts dt { color: var(--faint); font-size: 0.85em; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.timeline { margin: 0.5rem 0; }
.timeline .line { display: flex; height: 22px; border-radius: 6px; overflow: hidden; gap: 1px; }
.piece { flex: 0 1 0; min-width: 3px; }
.p0 { background: var(--six); } .p1 { background: var(--four); } .p2 { background: var(--five); } .p3 { background: var(--two); } .p4 { background: var(--three); } .p5 { background: var(--one); }
.timeline ol { list-style: none; padding: 0; margin: 0.4rem 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1.25rem; }
.key { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 3px; margin-right: 0.4em; }
.operation { border: 1px solid var(--line); border-radius: 8px; padding: 0.4rem 0.75rem; margin-bottom: 0.4rem; }
.operation summary { cursor: pointer; }
.operation label { display: grid; grid-template-columns: 8rem minmax(8rem, 18rem) 1fr; gap: 0.75rem; align-items: center; margin: 0.35rem 0; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 0.92em; }
pre { padding: 0.6rem 0.8rem; background: var(--raised); border: 1px solid var(--line); border-radius: 6px; overflow: auto; max-height: 30rem; }
dialog { border: 1px solid var(--line); border-radius: 10px; background: var(--back); color: inherit; max-width: min(32rem, 92vw); }
dialog::backdrop { background: rgb(0 0 0 / 45%); }
dialog label { display: grid; gap: 0.2rem; margin: 0.5rem 0; }
dialog .tools { justify-content: flex-end; margin: 0.75rem 0 0; }
#notices { position: fixed; inset-block-end: 0.75rem; inset-inline-end: 0.75rem; max-width: min(36rem, 92vw); z-index: 2; }
#notices p { margin: 0.35rem 0 0; padding: 0.5rem 0.75rem; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; overflow-wrap: anywhere; }
@media (max-width: 45rem) {
	main { padding: 0.5rem; }
	header { padding: 0.4rem 0.5rem; }
	nav { order: 3; flex-basis: 100%; overflow-x: auto; }
	nav ul { flex-wrap: nowrap; }
	.tiles { grid-template-columns: repeat(2, 1fr); }
	.operation label { grid-template-columns: 1fr; gap: 0.1rem; }
	.grid { max-height: 75vh; }
}
@media (prefers-reduced-motion: no-preference) {
	.bars .bar { transition: inline-size 0.4s; }
}
`;
