/** What datagrams cost beside their bytes, as bytes of what a turn may move (`memory/budget.ts`): half a nanosecond each. */

/** A message that is passed on takes two to three times as long, but many in one turn are what makes it no more. */
export const MESSAGE_COST_BYTES = 1024;

/** A packet of somebody who is not known: its keys are derived, and it is opened. */
export const LOOK_COST_BYTES = 14 * 1024;
