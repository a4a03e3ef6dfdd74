/** What all pages look like, in the light and in the dark; each adds its own behind it. */
export const BASE_STYLE = `:root {
	color-scheme: light dark;
	--back: #ffffff;
	--raised: #f4f5f7;
	--line: #d9dce1;
	--text: #1b1f24;
	--faint: #57606a;
	--accent: #0b57c2;
	--chosen: #dbe9ff;
	--good: #1a6b34;
	--other: #7a5b00;
	--bad: #b42318;
	font: 14px/1.45 system-ui, sans-serif;
}
@media (prefers-color-scheme: dark) {
	:root {
		--back: #14171b;
		--raised: #1d2126;
		--line: #343a42;
		--text: #e4e7eb;
		--faint: #a3acb6;
		--accent: #7ab8ff;
		--chosen: #20385a;
		--good: #56d364;
		--other: #e3b341;
		--bad: #ff8a80;
	}
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
`;
