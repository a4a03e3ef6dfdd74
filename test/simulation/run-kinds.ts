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
/** Runs in which listeners take datagrams. */
const DATAGRAMS_SHARE = 0.2;
const DATAGRAMS_SALT = 0xda7a;

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
	/** Whether listeners take datagrams; absent: some do in some of the runs of which the other two say nothing. */
	readonly datagrams?: boolean | undefined;
}

export interface Kind {
	readonly isAgent: boolean;
	readonly hasLines: boolean;
	/** What the side of datagrams is drawn from; absent: there is none. */
	readonly datagrams: Random | undefined;
	readonly traits: Traits;
}

/** `random`: the run's own. What lines and agents need is drawn apart, so that runs without them are what they were before. */
export function kindOf(options: RunOptions, random: Random): Kind {
	const { seed, completes = false, lines } = options;
	const isAgent = isAgents(options);
	const datagrams = completes || isAgent ? undefined : datagramsOf(options);
	const apart = new Random(seed ^ LINES_SALT);
	const isChosen = apart.chance(LINES_SHARE);
	const hasLines = !completes && !isAgent && datagrams === undefined && (lines ?? isChosen);
	const traits = traitsOf(random, completes, isAgent);
	return {
		isAgent,
		hasLines,
		datagrams,
		traits: hasLines && apart.chance(0.5) ? readingRequests(traits) : traits,
	};
}

function datagramsOf({ seed, lines, datagrams }: RunOptions): Random | undefined {
	const apart = new Random(seed ^ DATAGRAMS_SALT);
	const isChosen = apart.chance(DATAGRAMS_SHARE) && lines === undefined;
	return (datagrams ?? isChosen) ? apart : undefined;
}

function isAgents({ seed, completes = false, lines, agent, datagrams }: RunOptions): boolean {
	const isOpen = !completes && lines === undefined && datagrams === undefined;
	const isChosen = isOpen && new Random(seed ^ AGENT_SALT).chance(AGENT_SHARE);
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
