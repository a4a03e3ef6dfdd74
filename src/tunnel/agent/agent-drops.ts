/** Why an agent on Node's streams did not pass a datagram on; a gateway counts by the same words. */
export const AGENT_DROPS = ["slow_line", "too_long", "send_buffer"] as const;
export type AgentDrop = (typeof AGENT_DROPS)[number];
