/** Bounds of what a configuration may ask for, where several sections or rules know them. */

/**
 * Bounds of the tables that reactors share; the gateway allocates them once, at start, with room for twice as many: a reload
 * may replace all of them while sessions still use those of before.
 */
export const LISTENERS_MAX = 256;
export const ROUTES_MAX = 65_536;
export const ADDRESSES_MAX = 4_096;
/** Of an address; 1 to 256 is a finer division than anybody measures. */
export const WEIGHT_MAX = 256;
/** Who opened a descriptor is noted in eight bits. */
export const REACTORS_MAX = 256;
/** A session holds two descriptors, and `fs.nr_open` allows 1,048,576 of them unless raised. */
export const CONNECTIONS_MAX = 1_048_576;
/** A counter of 32 bits; who means no limit writes this. */
export const REQUESTS_MAX = 2_000_000_000;
/** MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT in Linux' include/net/tcp.h. */
export const KEEPALIVE_MAX_SECONDS = 32_767;
export const KEEPALIVE_MAX_PROBES = 127;
/** Two full-sized segments of TCP segmentation offload would not fit below it. */
export const UNSENT_MIN_BYTES = 16_384;

/** The kernel's `sun_path` is 108 bytes, the last of them zero (unix(7)). */
export const SOCKET_PATH_MAX_BYTES = 107;

/** Connections or requests per second: more than any machine takes. */
export const RATE_MAX = 1_000_000;

/** Of the hub: the memory that all channels share, of which a message may take so small a part that many fit. */
export const HUB_MEMORY_MIN_BYTES = 1_048_576;
export const HUB_MEMORY_MAX_BYTES = 1_073_741_824;
export const HUB_MESSAGES_IN_MEMORY = 64;
/** The longest message: it is in memory once for each protocol, and escaped. */
export const HUB_MESSAGE_MAX_BYTES = 1_048_576;
/** Each has a row in memory that all reactors share. */
export const HUB_CHANNELS_MAX = 1_000_000;
/** Each is a few numbers of a connection's row. */
export const HUB_SUBSCRIPTIONS_MAX = 1_024;
/** Messages that may wait for a subscriber, or be kept for those who come back: all that the log can have are fewer. */
export const HUB_MESSAGES_MAX = 1_000_000;
