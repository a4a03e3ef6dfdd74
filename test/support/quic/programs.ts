/**
 * The QUIC peers of the tests, which are of other makes and languages: programs in Go and Python, whose sources are beside
 * this file. What they need is fetched and built once, into the cache folder of whoever runs the tests, under
 * a name made of their sources; test files that run at the same time wait for the first of them.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT } from "../pieces.js";

/** Those with a client and a server that speak what `peers.ts` says. */
export type Stack = "quic-go" | "aioquic";
export type QuicPeer = Stack | "curl_cffi";

/** How a program is started; what it is told comes behind `args`. */
export interface Command {
	readonly path: string;
	readonly args: readonly string[];
	readonly env: Readonly<Record<string, string>>;
}

const SOURCES = join(ROOT, "test/support/quic");

/** From a registry that is slow, on a machine that is busy. */
const FETCH_MS = 300_000;

/** What a stack needs and is not here, with how to get it. */
class Missing extends Error {}

const MAKERS: Readonly<Record<QuicPeer, () => Command>> = {
	"quic-go": makeQuicGo,
	aioquic: () => makePython("aioquic", "aioquic/peer.py"),
	curl_cffi: () => makePython("curl_cffi", "curl/fetch.py"),
};
const made = new Map<QuicPeer, Command | Missing>();

/** Throws where it is missing: a test says in its `needs` what it uses. */
export function commandOf(peer: QuicPeer): Command {
	const command = make(peer);
	if (command instanceof Missing) throw command;
	return command;
}

/** Why this machine has no such peer, and how it gets one; `undefined` when it has. */
export function missingPeer(peer: QuicPeer): string | undefined {
	const command = make(peer);
	return command instanceof Missing ? command.message : undefined;
}

function make(peer: QuicPeer): Command | Missing {
	const known = made.get(peer);
	if (known !== undefined) return known;
	let command: Command | Missing;
	try {
		command = MAKERS[peer]();
	} catch (error) {
		if (!(error instanceof Missing)) throw error;
		command = error;
	}
	made.set(peer, command);
	return command;
}

function makeQuicGo(): Command {
	const folder = join(SOURCES, "quic-go");
	const how =
		"quic-go: Go 1.26 or newer as `go` (https://go.dev/dl, or as .ci/run does), and its module proxy, once";
	const program = cached("quic-go", process.arch, folder);
	if (!existsSync(program)) {
		fetchOnce(program, how, ["go", "mod", "download"], folder);
		buildOnce(program, ["go", "build", "-o", `${program}.new`, "."], folder);
	}
	return { path: program, args: [], env: {} };
}

/** The packages that stand in `requirements.txt` beside a script. */
function makePython(name: string, script: string): Command {
	const path = join(SOURCES, script);
	const folder = dirname(path);
	const how = `${name}: python3 with pip (apt-get install python3-pip) and, once, PyPI`;
	const version = spawnSync("python3", ["--version"], { encoding: "utf8" });
	if (version.status !== 0) throw new Missing(how);
	const packages = cached(name, `${process.arch} ${version.stdout}`, folder, "requirements.txt");
	if (!existsSync(packages)) {
		const options = ["--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore"];
		const where = ["--require-hashes", "--target", `${packages}.new`, "-r", "requirements.txt"];
		fetchOnce(packages, how, ["python3", "-m", "pip", "install", ...options, ...where], folder);
	}
	return { path: "python3", args: [path], env: { PYTHONPATH: packages } };
}

/** Where something is kept that is made of these files: all of a folder, or one of them. */
function cached(name: string, kind: string, folder: string, file?: string): string {
	const hash = createHash("sha256").update(kind);
	for (const source of file === undefined ? readdirSync(folder).sort() : [file])
		hash.update(`\0${source}\0`).update(readFileSync(join(folder, source)));
	const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
	return join(cache, "sluice-tests", `${name}-${hash.digest("hex").slice(0, 16)}`);
}

function fetchOnce(target: string, how: string, command: readonly string[], folder: string): void {
	const complaint = once(target, command, folder);
	const [last = ""] = complaint?.trim().split("\n").slice(-1) ?? [];
	// The shell puts the name of its script and a line in front.
	if (complaint !== undefined) throw new Missing(`${how} (${last.replace(/^\S+: \d+: /, "")})`);
}

/** What does not compile is a fault of the tests, and not of the machine. */
function buildOnce(target: string, command: readonly string[], folder: string): void {
	const complaint = once(target, command, folder);
	if (complaint !== undefined) throw new Error(`${command.join(" ")}: ${complaint}`);
}

/**
 * Runs a command under a lock unless `target` is there; what it has put beside it, as `target.new`, becomes it. So a
 * target is whole, or is not there. Returns what the command complained of, when it failed.
 */
function once(target: string, command: readonly string[], folder: string): string | undefined {
	mkdirSync(dirname(target), { recursive: true });
	const script = 'test -e "$0" || { rm -rf "$0.new"; "$@" || exit; test ! -e "$0.new" || mv "$0.new" "$0"; }';
	const { status, stdout, stderr, error } = spawnSync(
		"flock",
		[`${target}.lock`, "sh", "-c", script, target, ...command],
		{ cwd: folder, encoding: "utf8", timeout: FETCH_MS, stdio: ["ignore", "pipe", "pipe"] },
	);
	if (status === 0) return undefined;
	return error?.message ?? (`${stdout}${stderr}`.trim() || `${command[0]} ended with ${String(status)}`);
}
