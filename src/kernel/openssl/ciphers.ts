/** The calls of libcrypto that QUIC's Initials need. A node binary that lacks one of them can do TLS all the same. */
import { declare, OpensslMissing, POINTER, requireOpenssl } from "./library.js";

const missing: string[] = [];

/** @throws OpensslMissing, SystemCallsMissing */
export function requireCiphers(): void {
	requireOpenssl();
	if (missing.length > 0) throw new OpensslMissing(missing, "QUIC");
}

export const newCipherContext = declare<[]>("EVP_CIPHER_CTX_new", POINTER, [], missing);
export const freeCipherContext = declare<[number], void>("EVP_CIPHER_CTX_free", "void", [POINTER], missing);
/** The arguments behind the context: where to put bytes and their count, where they are and how many. */
export const encryptUpdate = declare<[number, number, number, number, number]>(
	"EVP_EncryptUpdate",
	"int",
	[POINTER, POINTER, POINTER, POINTER, "int"],
	missing,
);
export const decryptUpdate = declare<[number, number, number, number, number]>(
	"EVP_DecryptUpdate",
	"int",
	[POINTER, POINTER, POINTER, POINTER, "int"],
	missing,
);
/** 1: the tag fits. */
export const endDecryption = declare<[number, number, number]>(
	"EVP_DecryptFinal_ex",
	"int",
	[POINTER, POINTER, POINTER],
	missing,
);
export const controlCipher = declare<[number, number, number, number]>(
	"EVP_CIPHER_CTX_ctrl",
	"int",
	[POINTER, "int", "int", POINTER],
	missing,
);
/**
 * One block of 64 bytes into the eight words with which a SHA256_CTX begins. Deprecated, as all of SHA256_*, and in the builds
 * of nodejs.org and of distributions; a key takes fourteen blocks, and everything else allocates for each message.
 */
export const sha256Transform = declare<[number, number], void>(
	"SHA256_Transform",
	"void",
	[POINTER, POINTER],
	missing,
);
