/** What an agent signs to log in, and what an id may be: docs/tunnel-wire.md, "Who is there". */

/** RFC 9266: the label of `tls-exporter`, which has no context. */
export const EXPORTER_LABEL = "EXPORTER-Channel-Binding";
export const EXPORTER_BYTES = 32;

/** In the open there is no session to bind to. */
export const NO_EXPORTER: Uint8Array = new Uint8Array(EXPORTER_BYTES);

const PREFIX = Buffer.from("sluice-tunnel-login-v1\0");

/** The bytes that the signature is over. */
export function loginToSign(exporter: Uint8Array, challenge: Uint8Array, id: string): Buffer {
	return Buffer.concat([PREFIX, exporter, challenge, Buffer.from(id)]);
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** An agent's id: up to 64 letters, digits, dots, hyphens and underscores, of which the first is a letter or a digit. */
export function isAgentId(text: string): boolean {
	return ID.test(text);
}
