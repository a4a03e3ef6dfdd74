/** All that the API can do, as forms: made from its own description, so that nothing is missing. */
import { button, element } from "../../../browser/dom.js";
import { ask, type Query } from "./ask.js";
import { confirmAndDo, tell } from "./dialogs.js";
import type { View } from "./view.js";

interface Parameter {
	readonly name: string;
	readonly in: "path" | "query" | "header";
	readonly description: string;
}

interface Described {
	readonly summary: string;
	readonly parameters: readonly Parameter[];
	readonly requestBody?: {
		readonly description: string;
		readonly content: Readonly<Record<string, unknown>>;
	};
}

interface Description {
	readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
}

export class OperationsView implements View {
	readonly title = "API";
	readonly root = element("div");

	/** `query`: of which path, and what its fields hold. */
	constructor(query: Query) {
		this.root.append(
			element("h1", {}, "All that the API can do"),
			element("p", {}, "A question is answered below it; a change is asked for once."),
		);
		void this.#show(query);
	}

	async #show(query: Query): Promise<void> {
		try {
			const { paths } = await ask<Description>("/api/openapi.json");
			const { path: wanted, ...values } = query;
			for (const [path, methods] of Object.entries(paths))
				for (const [method, described] of Object.entries(methods)) {
					const isWanted = path === wanted && method === "get";
					const form = formOf(method.toUpperCase(), path, described, isWanted ? values : {});
					this.root.append(form);
					if (!isWanted) continue;
					form.open = true;
					form.scrollIntoView({ block: "start" });
					form.querySelector<HTMLElement>("input, button")?.focus();
				}
		} catch (error) {
			await tell(error);
		}
	}
}

function formOf(method: string, path: string, described: Described, values: Query): HTMLDetailsElement {
	const { summary, parameters, requestBody } = described;
	const asked = parameters.filter((each) => each.in !== "header");
	const fields = asked.map((each) => ({ ...each, input: fieldOf(each, values[each.name] ?? "") }));
	const body = requestBody === undefined ? undefined : bodyField(requestBody.description);
	const answer = element("pre", { tabindex: "0", "aria-label": `Answer of ${method} ${path}` });
	answer.hidden = true;
	const go = button(method === "GET" ? "Ask" : "Do it", () => {
		void run(method, path, fields, body).then((text) => {
			answer.hidden = text === undefined;
			answer.textContent = text ?? "";
		});
	});
	return element(
		"details",
		{ class: "operation" },
		element(
			"summary",
			{},
			element("code", {}, `${method} ${path}`),
			" ",
			element("span", { class: "beside" }, summary),
		),
		...fields.map(({ name, description, input }) =>
			element("label", {}, element("code", {}, name), input, element("small", {}, description)),
		),
		body === undefined ? null : element("label", {}, "body", body),
		go,
		answer,
	);
}

function fieldOf({ name }: Parameter, value: string): HTMLInputElement {
	const input = element("input", { type: "text", name, autocomplete: "off", spellcheck: "false" });
	input.value = value;
	return input;
}

function bodyField(description: string): HTMLTextAreaElement {
	return element("textarea", { rows: "3", placeholder: description, spellcheck: "false" });
}

async function run(
	method: string,
	path: string,
	fields: readonly (Parameter & { readonly input: HTMLInputElement })[],
	body: HTMLTextAreaElement | undefined,
): Promise<string | undefined> {
	const query: Record<string, string> = {};
	let address = path;
	for (const { name, in: place, input } of fields) {
		const value = input.value.trim();
		// The slashes of a channel's name are part of the path.
		if (place === "path")
			address = address.replace(`{${name}}`, value.split("/").map(encodeURIComponent).join("/"));
		else if (value !== "") query[name] = value;
	}
	if (method === "GET") {
		if (query["follow"] === "1") return "A stream is for programs: curl -N shows it.";
		try {
			return JSON.stringify(await ask(address, query), undefined, 2);
		} catch (error) {
			await tell(error);
			return undefined;
		}
	}
	const words = Object.entries(query).map(([name, value]) => `${name}=${value}`);
	const answer = await confirmAndDo({
		says: `${method} ${address}${words.length === 0 ? "" : ` with ${words.join(", ")}`}.`,
		...{ method: method as "POST" | "DELETE", path: address, query },
		...(body === undefined ? {} : { body: body.value }),
	});
	return answer === undefined ? undefined : JSON.stringify(answer, undefined, 2);
}
