/** Names of channels, and ids of messages (`docs/hub-wire.md`). */

import {
	CHANNEL_MAX,
	CHANNEL_NAME_PATTERN,
	coversChannels,
	parseChannelPattern,
} from "../config/hub-values.js";

const NAME = new RegExp(CHANNEL_NAME_PATTERN);
export const CHANNEL_NAME_MAX_BYTES = CHANNEL_MAX;

export function isChannelName(text: string): boolean {
	return text.length <= CHANNEL_NAME_MAX_BYTES && NAME.test(text);
}

/**
 * What stands in a configuration, and in tokens, for channels: a name, or one in which `*` is for one part, and, as the last part, `**`
 * for all that follow (at least one).
 */
export class ChannelPattern {
	readonly text: string;

	/** `undefined`: it is none. */
	static parse(text: string): ChannelPattern | undefined {
		try {
			return new ChannelPattern(parseChannelPattern(text));
		} catch {
			return undefined;
		}
	}

	private constructor(text: string) {
		this.text = text;
	}

	matches(name: string): boolean {
		return coversChannels(this.text, name);
	}
}

/** A message's id: which start of the hub it is of, and the how manieth message of that. */
export interface MessageId {
	readonly epoch: number;
	readonly sequence: number;
}

const ID = /^([0-9a-z]{1,11}):([0-9a-z]{1,11})$/;

export function formatId({ epoch, sequence }: MessageId): string {
	return `${epoch.toString(36)}:${sequence.toString(36)}`;
}

/** `undefined`: it is none. */
export function parseId(text: string): MessageId | undefined {
	const [, epochText = "", sequenceText = ""] = ID.exec(text) ?? [];
	const [epoch, sequence] = [Number.parseInt(epochText, 36), Number.parseInt(sequenceText, 36)];
	return Number.isSafeInteger(epoch) && Number.isSafeInteger(sequence) ? { epoch, sequence } : undefined;
}
