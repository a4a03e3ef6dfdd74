/** The descriptors of this process, as /proc tells of them. */
import { descriptorTargets } from "../../kernel/proc.js";

/** What a descriptor is. `other` is what /proc has no word for here. */
export type DescriptorKind =
	| "socket"
	| "pipe"
	| "file"
	| "eventfd"
	| "epoll"
	| "io_uring"
	| "timer"
	| "other";

/** Kinds by what their link begins with. */
const KINDS: readonly (readonly [string, DescriptorKind])[] = [
	["socket:", "socket"],
	["pipe:", "pipe"],
	["anon_inode:[eventfd", "eventfd"],
	["anon_inode:[eventpoll", "epoll"],
	["anon_inode:[io_uring", "io_uring"],
	["anon_inode:[timerfd", "timer"],
	["/", "file"],
];

/** What each descriptor points to, such as `socket:[123]` or a path; `undefined` where there is no /proc. */
export function readDescriptors(): Map<number, string> | undefined {
	try {
		return descriptorTargets();
	} catch {
		return undefined;
	}
}

/** The kind of what a link points to. */
export function kindOf(target: string): DescriptorKind {
	return KINDS.find(([start]) => target.startsWith(start))?.[1] ?? "other";
}
