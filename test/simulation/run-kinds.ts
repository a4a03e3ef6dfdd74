/** What kind of world a run has: it is told, or follows from the seed. */
import { Random } from "../../src/rig/random.js";
import type { Mutant } from "./faults.js";
import { randomTraits, type Traits } from "./plans.js";

/** Runs in which agents open lines. */
const LINES_SHARE = 0.3;
const LINES_SALT = 0x51ee;
/** Runs in which the reactor is an agent's. */
const AGENT_SHARE = 0.12;
const AGENT_SALT = 0xa6e2;

export interface RunOptions {
	readonly seed: number;
	readonly turns: number;
	readonly mutant?: Mutant;
	/** Bytes come and go by operations that are completed later, and not by calls. Sessions are relayed, in the open. */
	readonly completes?: boolean;
	/** Whether agents open lines; absent: they do in some runs. */
	readonly lines?: boolean | undefined;
	/** Whether the reactor is an agent's, and opens lines itself; absent: it is in some of the runs of which `lines` says nothing. */
	readonly agent?: boolean | undefined;
}

export interface Kind {
	readonly isAgent: boolean;
	readonly hasLines: boolean;
	readonly traits: Traits;
}

/** `random`: the run's own. What lines and agents need is drawn apart, so that runs without them are what they were before. */
export function kindOf(options: RunOptions, random: Random): Kind {
	const { seed, completes = false, lines } = options;
	const isAgent = isAgents(options);
	const apart = new Random(seed ^ LINES_SALT);
	const isChosen = apart.chance(LINES_SHARE);
	const hasLines = !completes && !isAgent && (lines ?? isChosen);
	const traits = traitsOf(random, completes, isAgent);
	return { isAgent, hasLines, traits: hasLines && apart.chance(0.5) ? readingRequests(traits) : traits };
}

function isAgents({ seed, completes = false, lines, agent }: RunOptions): boolean {
	const isChosen = !completes && lines === undefined && new Random(seed ^ AGENT_SALT).chance(AGENT_SHARE);
	return agent ?? isChosen;
}

function traitsOf(random: Random, completes: boolean, isAgent: boolean): Traits {
	const traits = randomTraits(random);
	if (completes) return relayedInTheOpen(traits);
	return isAgent ? { ...relayedInTheOpen(traits), upstreamTls: traits.upstreamTls } : traits;
}

function relayedInTheOpen(traits: Traits): Traits {
	const none = traits.readsRequests.map(() => false);
	return { ...traits, readsRequests: none, requests: 0, patient: false, terminates: none, upstreamTls: 0 };
}

/** All listeners read requests, so that some tunnels are for them. */
function readingRequests(traits: Traits): Traits {
	return { ...traits, readsRequests: traits.readsRequests.map(() => true), requests: 0.9 };
}
