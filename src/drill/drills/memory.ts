import { captureHello } from "../../rig/hello.js";
import { type AttackOnScene, attackersOf, type Scene } from "../assault.js";
import { tlsConfig, webConfig } from "../configs.js";
import type { Drill, Threshold } from "../drill.js";
import { ATTACKERS_GONE, GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { Together } from "../together.js";
import { keptRequest, NAMES, upload } from "../traffic.js";

/** What sessions may hold, and what the whole process may: as in a small container. */
const LIMITS = "limits: { memory: 64MiB }";
const GROUP_BYTES = 256 * 1024 * 1024;

/** More than a body's half is ever said of. */
const BODY_BYTES = 8192;

/** Of readers, and of halves: what is drilled is memory and not the rate of new connections. */
const OPENS_PER_SECOND = 300;

/** Of all; the others are halves. */
const READERS_SHARE = 1 / 4;

const CAME: readonly Threshold[] = [
	{
		measure: "halves.peakShare",
		title: "halves there at once, of those asked for",
		unit: "share",
		bound: { atLeast: 1 },
		byClock: true,
	},
	{
		measure: "readers.openedShare",
		title: "readers that stop, of those asked for (whoever is closed comes again)",
		unit: "share",
		bound: { atLeast: 1 },
		byClock: true,
	},
];

const MEMORY: readonly Threshold[] = [
	{
		measure: "group.oomKills",
		title: "killed for memory in its control group",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
	{
		measure: "memoryKeptBytes",
		title: "resident memory afterwards above that before the attack",
		unit: "bytes",
		bound: { atMost: 48 * 1024 * 1024 },
		optional: true,
	},
];

/**
 * Each takes memory and gives nothing for it: answers that nobody reads, and halves of hellos, heads and bodies that
 * wait for the other half. Together they want several times what sessions may hold.
 */
export const memory: Drill = {
	name: "memory",
	summary: "readers that stop, and halves of hellos, heads and bodies, with little memory",
	defaults: { connections: 2000, seconds: 10 },
	memoryGroupBytes: GROUP_BYTES,
	ending: "target",
	thresholds: [...GOOD_CLIENT_SERVED, ...CAME, ...ATTACKERS_GONE, ...MEMORY, ...NOTHING_LEFT],

	on: {
		relay: "a listener that relays knows neither heads nor bodies; slow-reader attacks its memory",
		http: {
			// The longest of them: a body's rate is measured over 10 s.
			deadline: { key: "body rate", ownMs: 10_000, givenMs: 30_000 },
			configure: (ports, listeners) => `${LIMITS}${webConfig(ports, listeners, { idle: "1m" })}`,
			attack: async (scene) => together(scene, [{ sayings: [await halfHello(), ...HALVES] }]),
		},
		tls: {
			deadline: { key: "body rate", ownMs: 10_000, givenMs: 30_000 },
			configure: (ports, listeners) => `${LIMITS}${tlsConfig(ports, listeners, { idle: "1m" })}`,
			attack: async (scene) =>
				together(scene, [{ sayings: [await halfHello()] }, { sayings: HALVES, tls: NAMES.good }], NAMES.good),
		},
	},
};

const HALVES: readonly Uint8Array[] = [half(keptRequest("good")), halfUpload()];

async function halfHello(): Promise<Uint8Array> {
	return half(await captureHello(NAMES.good));
}

function half(bytes: Uint8Array): Uint8Array {
	return bytes.subarray(0, Math.floor(bytes.length / 2));
}

function halfUpload(): Uint8Array {
	const { head, whole } = upload("uploads", BODY_BYTES);
	return whole.subarray(0, head.length + BODY_BYTES / 2);
}

interface Halves {
	readonly sayings: readonly Uint8Array[];
	/** Within TLS for that name. */
	readonly tls?: string;
}

/** Readers, and the halves in equal parts. */
function together(scene: Scene, halves: readonly Halves[], readersTls?: string): Together {
	const readers = Math.max(1, Math.floor(scene.connections * READERS_SHARE));
	const each = Math.max(1, Math.floor((scene.connections - readers) / halves.length));
	const named = (name: string, connections: number, own: AttackOnScene) => ({
		name,
		connections,
		attackers: attackersOf(scene, { ...own, connections }),
	});
	return new Together([
		named("readers", readers, {
			...within(readersTls),
			opensPerSecond: OPENS_PER_SECOND,
			sayings: [keptRequest("bulk")],
			behaviour: { kind: "stop-reading", afterBytes: 4096, receiveBufferBytes: 4096 },
		}),
		...halves.map(({ sayings, tls }) =>
			named("halves", each, {
				...within(tls),
				opensPerSecond: OPENS_PER_SECOND,
				sayings,
				behaviour: { kind: "hold" },
			}),
		),
	]);
}

function within(tls: string | undefined): { tls?: string } {
	return tls === undefined ? {} : { tls };
}
