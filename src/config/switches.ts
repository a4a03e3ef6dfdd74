/** Switches: `on`, `true` and `yes` mean one thing, and `off`, `false` and `no` the other, wherever either can stand. */

import { z } from "zod";

/** YAML reads `true` and `false` as booleans and the other words as texts; in quotes all of them are texts. */
const ON = [true, "on", "true", "yes"] as const;
const OFF = [false, "off", "false", "no"] as const;

/** For rules that look at values as they were written. */
export function isOff(written: unknown): boolean {
	return OFF.some((each) => each === written);
}

export function isOn(written: unknown): boolean {
	return ON.some((each) => each === written);
}

/** Members of a union. */
export const onWord = () => z.literal(ON).transform((): "on" => "on");
export const offWord = () => z.literal(OFF).transform((): "off" => "off");
