/** What the page asks whoever looks at it: for a token, and once before each change. */
import { byId, element } from "../../../browser/dom.js";
import { ApiError, change, hasToken, nameOperator, operatorName, type Query, showToken } from "./ask.js";

/** Who waits for what is chosen. */
const waiting = new Map<HTMLDialogElement, (chosen: string) => void>();

/** Resolves with what was chosen: "" when the dialog was left, or is asked for something else. */
function open(dialog: HTMLDialogElement): Promise<string> {
	waiting.get(dialog)?.("");
	dialog.returnValue = "";
	dialog.onclose = () => {
		// It comes later than the end that it tells of, and may be of the time before.
		if (dialog.open) return;
		waiting.get(dialog)?.(dialog.returnValue);
		waiting.delete(dialog);
	};
	if (!dialog.open) dialog.showModal();
	return new Promise((resolve) => waiting.set(dialog, resolve));
}

/** Whoever has none is not asked again and again. */
let wasLeft = false;

/** True: a token was given, or taken back. `isWanted`: by what was just pressed. */
export async function askForToken(why: string, isWanted = false): Promise<boolean> {
	const dialog = byId("token-dialog") as HTMLDialogElement;
	if (dialog.open || (wasLeft && !isWanted)) return false;
	const [token, name] = [byId("token") as HTMLInputElement, byId("operator") as HTMLInputElement];
	byId("token-why").textContent = why;
	token.value = "";
	name.value = operatorName();
	wasLeft = (await open(dialog)) !== "ok";
	if (wasLeft) return false;
	nameOperator(name.value);
	if (token.value !== "" || hasToken()) showToken(token.value);
	return true;
}

/** A change that may be asked for. */
export interface Change {
	/** What is done, as a sentence. */
	readonly says: string;
	/** On the button that does it. Default: Do it */
	readonly verb?: string;
	readonly method?: "POST" | "DELETE";
	readonly path: string;
	readonly query?: Query;
	readonly body?: string;
	/** What the answer is said to mean. Default: that it was done. */
	readonly done?: (answer: unknown) => string;
}

/** Asks once, has it done, and says what came of it. Returns the answer; `undefined`: it was not done. */
export async function confirmAndDo(wanted: Change): Promise<unknown> {
	const dialog = byId("change-dialog") as HTMLDialogElement;
	byId("change-says").textContent = wanted.says;
	byId("change-do").textContent = wanted.verb ?? "Do it";
	if ((await open(dialog)) !== "ok") return undefined;
	try {
		const answer = await change(wanted.method ?? "POST", wanted.path, wanted.query, wanted.body);
		say(wanted.done?.(answer) ?? `Done: ${wanted.says}`);
		return answer;
	} catch (error) {
		await tell(error, true);
		return undefined;
	}
}

/** What has gone wrong; where a token is missing, it is asked for. */
export async function tell(error: unknown, isWanted = false): Promise<void> {
	if (error instanceof ApiError && error.status === 401) await askForToken(error.message, isWanted);
	else say((error as Error).message, true);
}

const SHOWN_MS = 8_000;

const notices = new Map<string, ReturnType<typeof setTimeout>>();

/** One line at the edge of the page, for a while; a line that is there stays a while longer. */
export function say(text: string, isFault = false): void {
	const there = [...byId("notices").children].find((each) => each.textContent === text);
	const line = there ?? element("p", isFault ? { class: "fault" } : {}, text);
	if (there === undefined) byId("notices").append(line);
	clearTimeout(notices.get(text));
	const gone = (): void => {
		line.remove();
		notices.delete(text);
	};
	notices.set(text, setTimeout(gone, SHOWN_MS));
}
