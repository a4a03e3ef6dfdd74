/** Why drills of datagrams attack no listener of connections. */
const WHY = "its attackers send datagrams, and this listener takes connections";

export const ONLY_DATAGRAMS = { relay: WHY, http: WHY, tls: WHY } as const;
