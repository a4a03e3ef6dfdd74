/** What is offered and taken in handshakes, in either role, in the words of OpenSSL: health checks use the same as sessions. */

/**
 * Mozilla's "intermediate" (guidelines 5.7, https://wiki.mozilla.org/Security/Server_Side_TLS) in its order,
 * without DHE: that needs parameters of its own, and every client it was kept for knows ECDHE. Ours goes
 * first, except that a client which puts ChaCha20 first has no AES instructions, and is given it.
 */
export const CIPHERS = [
	"ECDHE-ECDSA-AES128-GCM-SHA256",
	"ECDHE-RSA-AES128-GCM-SHA256",
	"ECDHE-ECDSA-AES256-GCM-SHA384",
	"ECDHE-RSA-AES256-GCM-SHA384",
	"ECDHE-ECDSA-CHACHA20-POLY1305",
	"ECDHE-RSA-CHACHA20-POLY1305",
].join(":");
/** TLS 1.3 */
export const CIPHER_SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/**
 * Mozilla's curves; the post-quantum hybrid is in no OpenSSL before 3.5. A client is given the first that both know.
 * P-521 is there for certificates: with TLS 1.2 the curve of a peer's must be among these.
 */
export const GROUPS = "X25519:P-256:P-384:P-521";

/**
 * Signatures that both sides may use: without SHA-1, SHA-224, DSA and Ed448, which OpenSSL's default still has. Each
 * handshake goes over the whole list, several times.
 */
export const SIGNATURES = [
	"ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519",
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512",
	"rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512",
	"rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512",
].join(":");
