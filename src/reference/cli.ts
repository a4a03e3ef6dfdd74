/** `docs/reference/cli.md`: the commands, their arguments and options, as `sluice COMMAND --help` tells them. */
import type { Argument, Command, Option } from "commander";
import { program } from "../cli/program.js";
import { code, page, type ReferencePage, table } from "./markdown.js";

const INTRO = `\`sluice --help\` lists the commands, and \`sluice COMMAND --help\` says of each what this page says. [Operations](../operations.md#the-command)
says with which status each ends and what it prints; [steering](../operations.md#steering-it) tells of those that ask a gateway that runs.`;

export function cliPage(): ReferencePage {
	const { commands } = program;
	return page("cli.md", {
		title: "The command line",
		source: ["src/cli/program.ts"],
		intro: INTRO,
		body: [table(["command", "what it does"], commands.map(overviewRow)), ...commands.flatMap(section)],
	});
}

function overviewRow(command: Command): string[] {
	return [`[\`sluice ${command.name()}\`](#sluice-${command.name()})`, command.description()];
}

function section(command: Command): string[] {
	const { registeredArguments, options } = command;
	const usage = [
		"sluice",
		command.name(),
		...registeredArguments.map(written),
		...(options.length === 0 ? [] : ["[options]"]),
	];
	return [
		`## sluice ${command.name()}`,
		`${sentence(command.description())}.`,
		`\`\`\`\n${usage.join(" ")}\n\`\`\``,
		...(registeredArguments.length === 0
			? []
			: [table(["argument", "meaning"], registeredArguments.map(argumentRow))]),
		...(options.length === 0 ? [] : [table(["option", "meaning"], options.map(optionRow))]),
	];
}

function sentence(text: string): string {
	return text.charAt(0).toUpperCase() + text.slice(1);
}

function written(argument: Argument): string {
	const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
	return argument.required ? `<${name}>` : `[${name}]`;
}

function argumentRow(argument: Argument): string[] {
	return [code(written(argument)), argument.description];
}

function optionRow({ flags, description, mandatory, defaultValue }: Option): string[] {
	const notes = [
		...(mandatory ? ["required"] : []),
		...(defaultValue === undefined ? [] : [`default: ${code(String(defaultValue))}`]),
	];
	return [code(flags), notes.length === 0 ? description : `${description} (${notes.join(", ")})`];
}
