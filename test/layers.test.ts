import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..", "src");

/** Each folder may import from itself and from what is listed behind it. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
	reference: ["cli", "admin", "tunnel", "guard", "config", "parts"],
	cli: ["doctor", "gateway", "tunnel", "hub", "admin", "drill", "config", "kernel", "parts"],
	doctor: ["gateway", "reactor", "upstream", "rig", "config", "kernel", "parts"],
	gateway: [
		"tunnel",
		"admin",
		"hub",
		"channels",
		"guard",
		"reactor",
		"route",
		"upstream",
		"protocol",
		"config",
		"kernel",
		"parts",
	],
	admin: ["browser", "guard", "tunnel", "hub", "reactor", "upstream", "protocol", "config", "parts"],
	reactor: ["channels", "route", "upstream", "protocol", "config", "kernel", "parts"],
	hub: ["channels", "protocol", "config", "parts"],
	channels: ["protocol", "config", "parts"],
	route: ["protocol", "config"],
	upstream: ["config", "kernel", "parts"],
	tunnel: ["browser", "guard", "protocol", "config", "parts"],
	drill: ["guard", "rig", "protocol", "config", "kernel", "parts"],
	rig: ["protocol", "config", "kernel", "parts"],
	guard: ["protocol", "config", "kernel", "parts"],
	protocol: [],
	config: [],
	kernel: [],
	browser: [],
	parts: [],
};

/**
 * The floors of the reactor, from the top down: a room may import from itself and from all floors below its own. Rooms of one
 * floor know nothing of each other. `loop` is what stands in no room.
 */
const FLOORS: readonly (readonly string[])[] = [
	["loop"],
	["road.ts", "rows.ts"],
	["steps", "modes/relay", "modes/http1", "modes/datagram", "modes/hub"],
	["routing"],
	["own-lines"],
	["admission"],
	["end"],
	["lines"],
	["links"],
	["wire"],
	["datagrams"],
	["memory"],
	["records"],
	["table"],
	["plan"],
];

/** Where a file of the reactor belongs: `steps`, `modes/relay`; of those in no room, the road and the rows are floors of their own. */
function roomOf(file: string): string {
	const [, first = "", second = ""] = file.split("/");
	if (first === "modes") return `modes/${second}`;
	if (!first.endsWith(".ts")) return first;
	return first === "road.ts" || first === "rows.ts" ? first : "loop";
}

function floorOf(room: string): number {
	return FLOORS.findIndex((rooms) => rooms.includes(room));
}

interface Import {
	readonly file: string;
	readonly target: string;
}

function imports(): Import[] {
	const found: Import[] = [];
	for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
		if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
		const path = join(entry.parentPath, entry.name);
		const text = readFileSync(path, "utf8");
		for (const match of text.matchAll(/(?:from|import|import\()\s*"([^"]+)"/g))
			found.push({ file: relative(root, path), target: match[1] ?? "" });
	}
	return found;
}

/** Files by the files that they import, types included. */
function importGraph(): Map<string, string[]> {
	const graph = new Map<string, string[]>();
	for (const { file, target } of imports()) {
		if (!target.startsWith(".")) continue;
		const to = relative(root, join(root, dirname(file), target)).replace(/\.js$/, ".ts");
		graph.set(file, [...(graph.get(file) ?? []), to]);
	}
	return graph;
}

/** The files of a circle, the first one again at its end; `undefined` when there is none. */
function findCircle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
	const done = new Set<string>();
	const path: string[] = [];
	const follow = (file: string): string[] | undefined => {
		const at = path.indexOf(file);
		if (at >= 0) return [...path.slice(at), file];
		if (done.has(file)) return undefined;
		path.push(file);
		for (const next of graph.get(file) ?? []) {
			const circle = follow(next);
			if (circle !== undefined) return circle;
		}
		path.pop();
		done.add(file);
		return undefined;
	};
	for (const file of graph.keys()) {
		const circle = follow(file);
		if (circle !== undefined) return circle;
	}
	return undefined;
}

function folderOf(file: string): string {
	return file.split("/")[0] ?? "";
}

test("imports point downward only", () => {
	for (const { file, target } of imports()) {
		if (!target.startsWith(".") || !file.includes("/")) continue;
		const from = folderOf(file);
		const to = folderOf(relative(root, join(root, dirname(file), target)));
		if (to === from) continue;
		assert.ok(BELOW[from]?.includes(to), `${file} imports ${target}: ${from} must not know ${to}`);
	}
});

test("within the reactor, too: rooms know what is below them, and steps and modes not each other", () => {
	for (const [file, targets] of importGraph()) {
		if (folderOf(file) !== "reactor") continue;
		const room = roomOf(file);
		assert.ok(floorOf(room) >= 0, `${file} stands in a room that is on no floor`);
		for (const target of targets) {
			if (folderOf(target) !== "reactor") continue;
			const other = roomOf(target);
			if (other === room) continue;
			assert.ok(floorOf(other) > floorOf(room), `${file} imports ${target}: ${room} must not know ${other}`);
		}
	}
});

test("a step does not know the next one: only the road does, and what all steps share is in lower rooms", () => {
	for (const [file, targets] of importGraph()) {
		if (!file.startsWith("reactor/steps/")) continue;
		assert.deepEqual(
			targets.filter((target) => target.startsWith("reactor/steps/")),
			[],
			file,
		);
	}
});

test("no file imports itself by way of others, types included", () => {
	const graph = importGraph();
	for (const [file, targets] of graph) {
		assert.ok(
			targets.every((target) => existsSync(join(root, target))),
			`${file} imports what is not there`,
		);
	}
	assert.equal(findCircle(graph)?.join(" → "), undefined);
});

test("a circle is found wherever it is, and two ways to one file are none", () => {
	const graph = new Map([
		["a", ["b", "c"]],
		["b", ["c"]],
		["c", ["d"]],
	]);
	assert.equal(findCircle(graph), undefined);
	graph.set("d", ["b"]);
	assert.deepEqual(findCircle(graph), ["b", "c", "d", "b"]);
	assert.deepEqual(findCircle(new Map([["a", ["a"]]])), ["a", "a"]);
});

test("only the two bindings, of libc and of OpenSSL, make system calls, and koffi is loaded in one place", () => {
	const importers = imports().filter(({ target }) => /(^|\/)koffi(\.js)?$/.test(target));
	const bindings = importers.filter(({ file }) => file.startsWith("kernel/"));
	// `koffi.ts` asks for the package's types only; others ask it whether system calls can be made.
	assert.deepEqual([...new Set(bindings.map(({ file }) => file))].sort(), [
		"kernel/koffi.ts",
		"kernel/libc.ts",
		"kernel/openssl/library.ts",
	]);
	const others = importers.filter(({ file }) => !file.startsWith("kernel/"));
	assert.ok(others.every(({ target }) => target !== "koffi"));
});

test("protocol, config and kernel know nothing of the rest", () => {
	for (const { file, target } of imports()) {
		if (!["protocol", "config", "kernel"].includes(folderOf(file)) || !target.startsWith(".")) continue;
		const to = relative(root, join(root, dirname(file), target));
		assert.equal(folderOf(to), folderOf(file), `${file} imports ${target}`);
	}
});

test("every file and room that the map names is there", () => {
	const map = readFileSync(join(root, "..", "docs/architecture.md"), "utf8");
	const rooms = [
		"",
		"reactor",
		"reactor/modes/http1",
		"reactor/modes/datagram",
		"reactor/datagrams",
		"reactor/modes/relay",
		"reactor/modes/datagram",
		"reactor/datagrams",
		"reactor/lines",
		"reactor/own-lines",
		"gateway/agent",
		"guard",
		"tunnel/gateway",
		"gateway/tunnels",
		"channels",
		"hub",
		"reactor/modes/hub",
	];
	for (const [, name = ""] of map.matchAll(/`((?:\.\.\/|[a-z0-9-]+\/)*[a-z0-9-]+(?:\.ts|\/))`/g))
		assert.ok(
			["", "src", ...rooms.map((room) => join("src", room))].some((base) =>
				existsSync(join(root, "..", base, name)),
			),
			`docs/architecture.md names ${name}`,
		);
});
