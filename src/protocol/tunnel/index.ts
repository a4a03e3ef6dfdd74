/**
 * What passes between an agent and a gateway: docs/tunnel-wire.md says every byte. Both sides use this, and no byte of theirs is
 * made elsewhere. Frames are cut out of a stream by `tunnel/control-decoder.ts`.
 */
export * from "./line.js";
export * from "./line-frames.js";
export * from "./login.js";
export * from "./messages.js";
