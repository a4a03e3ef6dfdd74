/** What was measured elsewhere, for the plan. */

/** Linux 6.18, x86-64, where it cannot be measured: 3.8 to 4.3 KB were. */
export const SOCKET_BYTES = 4_200;
/** The same of a connected UDP socket: 2.2 KB were. */
export const DATAGRAM_SOCKET_BYTES = 2_200;
/** Of epoll for each socket that is watched: `eventpoll_epi` and `eventpoll_pwq` in /proc/slabinfo. */
export const WATCH_BYTES = 192;
/** OpenSSL's session and buffers, idle: docs/performance.md, "idle TLS". */
export const TLS_BYTES = 13_033;

/** What other programs' files may need. */
export const FILES_SPARE = 10_000;
