/**
 * Numbers that stand for different things are types of their own for the compiler: a row is no descriptor, and a place of the
 * pool is no row. At run time they are plain numbers.
 */
import { NONE as NONE_AT_ALL } from "../../parts/none.js";

declare const ROW: unique symbol;
declare const CLIENT: unique symbol;
declare const UPSTREAM: unique symbol;
declare const PLACE: unique symbol;
declare const DESCRIPTOR: unique symbol;

/** A row of the table: a connection, a client's or an upstream's. */
export type Slot = number & { readonly [ROW]: true };
/** A session, named by the row of its client's connection. */
export type Session = Slot & { readonly [CLIENT]: true };
/** The row of an upstream's connection. */
export type Link = Slot & { readonly [UPSTREAM]: true };
/** An upstream row, counted from the first one: where its link columns have their cells. */
export type Place = number & { readonly [PLACE]: true };
/** A descriptor of the kernel's. */
export type Fd = number & { readonly [DESCRIPTOR]: true };

/** None of them: no row, no place, no descriptor; and no chunk, no pipe, the end of a list. */
export const NONE = NONE_AT_ALL as Session & Link & Place & Fd;
