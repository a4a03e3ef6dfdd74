/**
 * The OpenSSL that the node binary carries, called through koffi. Pointers are plain numbers, as in libc.ts:
 * user space ends at 2^47, far below what a number holds exactly.
 *
 * Nothing here throws on loading: a gateway without TLS runs on a build that lacks it. `requireOpenssl` says
 * what is missing.
 */
import type { TypeObject } from "koffi";
import { failMissing, koffi, SystemCallsMissing, whyNoSystemCalls } from "../koffi.js";

const library = koffi?.load(null);

type Argument = number | string;
type Call<Arguments extends readonly Argument[], Result = number> = (...args: Arguments) => Result;

const missing: string[] = [];

/** `lacking`: the list that the name is put into when it is not there. */
export function declare<Arguments extends readonly Argument[], Result = number>(
	name: string,
	result: string,
	types: readonly string[],
	lacking = missing,
): Call<Arguments, Result> {
	if (library === undefined) return failMissing;
	try {
		return library.func(name, result, [...types]) as Call<Arguments, Result>;
	} catch {
		lacking.push(name);
		return () => {
			throw new OpensslMissing([name]);
		};
	}
}

/** The node binary lacks (parts of) OpenSSL. */
export class OpensslMissing extends Error {
	override readonly name = "OpensslMissing";
	readonly code = "OPENSSL_MISSING";
	readonly missing: readonly string[];

	/** `feature`: who needs them. */
	constructor(names: readonly string[], feature = '"tls"') {
		const shown = names.length > 5 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
		super(
			`this node binary (${process.execPath}) does not export what ${feature} needs of OpenSSL 3: ${shown.join(", ")}; use a build of nodejs.org, or one linked to a shared libssl 3`,
		);
		this.missing = names;
	}
}

/** OpenSSL 3.0.0; before it, sessions and errors work differently in details that matter here. */
const VERSION_MIN = 0x3000_0000;

/**
 * `OpenSSL 3.0.19 27 Jan 2026`
 *
 * @throws OpensslMissing, SystemCallsMissing
 */
export function requireOpenssl(): string {
	const why = whyNoSystemCalls();
	if (why !== undefined) throw new SystemCallsMissing(why);
	if (missing.length > 0) throw new OpensslMissing(missing);
	const version = versionText(0);
	if (versionNumber() < VERSION_MIN) throw new OpensslMissing([`version 3 (it has ${version})`]);
	return version;
}

export const POINTER = "uintptr_t";

const versionNumber = declare<[]>("OpenSSL_version_num", "ulong", []);
const versionText = declare<[number], string>("OpenSSL_version", "str", ["int"]);

// Contexts

export const serverMethod = declare<[]>("TLS_server_method", POINTER, []);
export const clientMethod = declare<[]>("TLS_client_method", POINTER, []);
export const newContext = declare<[number]>("SSL_CTX_new", POINTER, [POINTER]);
export const freeContext = declare<[number], void>("SSL_CTX_free", "void", [POINTER]);
export const controlContext = declare<[number, number, number, number]>("SSL_CTX_ctrl", "long", [
	POINTER,
	"int",
	"long",
	POINTER,
]);
export const controlContextCallback = declare<[number, number, number]>("SSL_CTX_callback_ctrl", "long", [
	POINTER,
	"int",
	POINTER,
]);
export const setOptions = declare<[number, number]>("SSL_CTX_set_options", "uint64_t", [POINTER, "uint64_t"]);
export const clearOptions = declare<[number, number]>("SSL_CTX_clear_options", "uint64_t", [
	POINTER,
	"uint64_t",
]);
/** TLS 1.2 */
export const setCiphers = declare<[number, string]>("SSL_CTX_set_cipher_list", "int", [POINTER, "str"]);
/** TLS 1.3 */
export const setCipherSuites = declare<[number, string]>("SSL_CTX_set_ciphersuites", "int", [POINTER, "str"]);
export const setSessionIdContext = declare<[number, number, number]>(
	"SSL_CTX_set_session_id_context",
	"int",
	[POINTER, POINTER, "uint"],
);
export const setSessionSeconds = declare<[number, number]>("SSL_CTX_set_timeout", "long", [POINTER, "long"]);
export const setTicketCount = declare<[number, number]>("SSL_CTX_set_num_tickets", "int", [
	POINTER,
	"size_t",
]);
export const setMaxEarlyData = declare<[number, number]>("SSL_CTX_set_max_early_data", "int", [
	POINTER,
	"uint32_t",
]);
export const setAlpnOffered = declare<[number, number, number]>("SSL_CTX_set_alpn_protos", "int", [
	POINTER,
	POINTER,
	"uint",
]);
export const setAlpnCallback = declare<[number, number, number], void>("SSL_CTX_set_alpn_select_cb", "void", [
	POINTER,
	POINTER,
	POINTER,
]);
export const setTicketCallback = declare<[number, number]>("SSL_CTX_set_tlsext_ticket_key_evp_cb", "int", [
	POINTER,
	POINTER,
]);
export const useCertificate = declare<[number, number]>("SSL_CTX_use_certificate", "int", [POINTER, POINTER]);
export const usePrivateKey = declare<[number, number]>("SSL_CTX_use_PrivateKey", "int", [POINTER, POINTER]);
/** Whether the key that was taken last belongs to the certificate of its kind. */
export const checkPrivateKey = declare<[number]>("SSL_CTX_check_private_key", "int", [POINTER]);
export const setVerify = declare<[number, number, number], void>("SSL_CTX_set_verify", "void", [
	POINTER,
	"int",
	POINTER,
]);
export const verifyParameters = declare<[number]>("SSL_CTX_get0_param", POINTER, [POINTER]);
export const setVerifyHost = declare<[number, string, number]>("X509_VERIFY_PARAM_set1_host", "int", [
	POINTER,
	"str",
	"size_t",
]);
export const setVerifyAddress = declare<[number, string]>("X509_VERIFY_PARAM_set1_ip_asc", "int", [
	POINTER,
	"str",
]);
export const setVerifyHostFlags = declare<[number, number], void>("X509_VERIFY_PARAM_set_hostflags", "void", [
	POINTER,
	"uint",
]);
export const newStore = declare<[]>("X509_STORE_new", POINTER, []);
export const freeStore = declare<[number], void>("X509_STORE_free", "void", [POINTER]);
export const addToStore = declare<[number, number]>("X509_STORE_add_cert", "int", [POINTER, POINTER]);
export const setStoreFlags = declare<[number, number]>("X509_STORE_set_flags", "int", [POINTER, "ulong"]);
/** Takes a reference of its own. */
export const setStore = declare<[number, number], void>("SSL_CTX_set1_cert_store", "void", [
	POINTER,
	POINTER,
]);
/** Names a certificate authority to clients that are asked for a certificate. */
export const addClientAuthority = declare<[number, number]>("SSL_CTX_add_client_CA", "int", [
	POINTER,
	POINTER,
]);

// PEM

export const newBuffer = declare<[number]>("BIO_new", POINTER, [POINTER]);
export const memoryBuffer = declare<[]>("BIO_s_mem", POINTER, []);
export const putText = declare<[number, string]>("BIO_puts", "int", [POINTER, "str"]);
export const readBuffer = declare<[number, number, number]>("BIO_read", "int", [POINTER, POINTER, "int"]);
export const freeBuffer = declare<[number]>("BIO_free", "int", [POINTER]);
export const readCertificate = declare<[number, number, number, number]>("PEM_read_bio_X509", POINTER, [
	POINTER,
	POINTER,
	POINTER,
	POINTER,
]);
/** The last argument is a passphrase: without one OpenSSL would ask the terminal, and wait. */
export const readPrivateKey = declare<[number, number, number, string]>("PEM_read_bio_PrivateKey", POINTER, [
	POINTER,
	POINTER,
	POINTER,
	"str",
]);
export const freeCertificate = declare<[number], void>("X509_free", "void", [POINTER]);
export const freeKey = declare<[number], void>("EVP_PKEY_free", "void", [POINTER]);
export const subjectOf = declare<[number]>("X509_get_subject_name", POINTER, [POINTER]);
export const printName = declare<[number, number, number, number]>("X509_NAME_print_ex", "int", [
	POINTER,
	POINTER,
	"int",
	"ulong",
]);

// OCSP

/** The second argument points to a pointer to the bytes, which is moved behind what was read. */
export const readOcspResponse = declare<[number, number, number]>("d2i_OCSP_RESPONSE", POINTER, [
	POINTER,
	POINTER,
	"long",
]);
export const freeOcspResponse = declare<[number], void>("OCSP_RESPONSE_free", "void", [POINTER]);
export const ocspStatus = declare<[number]>("OCSP_response_status", "int", [POINTER]);
export const takeOcspBasic = declare<[number]>("OCSP_response_get1_basic", POINTER, [POINTER]);
export const freeOcspBasic = declare<[number], void>("OCSP_BASICRESP_free", "void", [POINTER]);
export const ocspCount = declare<[number]>("OCSP_resp_count", "int", [POINTER]);
/** Lent, as all that is found in it: it belongs to the response. */
export const ocspSingle = declare<[number, number]>("OCSP_resp_get0", POINTER, [POINTER, "int"]);
export const ocspIdOf = declare<[number]>("OCSP_SINGLERESP_get0_id", POINTER, [POINTER]);
/** The arguments before the last are where to put pointers: hash of the name, its algorithm, hash of the key, serial. */
export const ocspIdParts = declare<[number, number, number, number, number]>("OCSP_id_get0_info", "int", [
	POINTER,
	POINTER,
	POINTER,
	POINTER,
	POINTER,
]);
/** The arguments behind the first are where to put: reason, and pointers to when revoked, this update, next update. */
export const ocspStatusOf = declare<[number, number, number, number, number]>(
	"OCSP_single_get0_status",
	"int",
	[POINTER, POINTER, POINTER, POINTER, POINTER],
);
export const stringLength = declare<[number]>("ASN1_STRING_length", "int", [POINTER]);
export const stringBytes = declare<[number]>("ASN1_STRING_get0_data", POINTER, [POINTER]);
/** Into a `struct tm`. */
export const timeParts = declare<[number, number]>("ASN1_TIME_to_tm", "int", [POINTER, POINTER]);

// Sessions

export const newSession = declare<[number]>("SSL_new", POINTER, [POINTER]);
export const freeSession = declare<[number], void>("SSL_free", "void", [POINTER]);
export const contextOf = declare<[number]>("SSL_get_SSL_CTX", POINTER, [POINTER]);
export const setDescriptor = declare<[number, number]>("SSL_set_fd", "int", [POINTER, "int"]);
export const setAcceptState = declare<[number], void>("SSL_set_accept_state", "void", [POINTER]);
export const setConnectState = declare<[number], void>("SSL_set_connect_state", "void", [POINTER]);
export const control = declare<[number, number, number, number]>("SSL_ctrl", "long", [
	POINTER,
	"int",
	"long",
	POINTER,
]);
export const doHandshake = declare<[number]>("SSL_do_handshake", "int", [POINTER]);
export const peek = declare<[number, number, number]>("SSL_peek", "int", [POINTER, POINTER, "int"]);
export const read = declare<[number, number, number]>("SSL_read", "int", [POINTER, POINTER, "int"]);
export const write = declare<[number, number, number]>("SSL_write", "int", [POINTER, POINTER, "int"]);
/** Lent: it belongs to the session. */
export const writeBuffer = declare<[number]>("SSL_get_wbio", POINTER, [POINTER]);
/** Takes the buffer over. */
export const setWriteBuffer = declare<[number, number], void>("SSL_set0_wbio", "void", [POINTER, POINTER]);
/** Takes whatever is written, and forgets it. */
export const nullBuffer = declare<[]>("BIO_s_null", POINTER, []);
export const writtenBytes = declare<[number]>("BIO_number_written", "uint64_t", [POINTER]);
export const readBufferOf = declare<[number]>("SSL_get_rbio", POINTER, [POINTER]);
export const takenBytes = declare<[number]>("BIO_number_read", "uint64_t", [POINTER]);
/** `RB`: the head of a record was read, and not all of its body. */
export const recordState = declare<[number], string>("SSL_rstate_string", "str", [POINTER]);
export const hasPending = declare<[number]>("SSL_has_pending", "int", [POINTER]);
export const pending = declare<[number]>("SSL_pending", "int", [POINTER]);
export const shutdown = declare<[number]>("SSL_shutdown", "int", [POINTER]);
export const setShutdown = declare<[number, number], void>("SSL_set_shutdown", "void", [POINTER, "int"]);
export const errorOf = declare<[number, number]>("SSL_get_error", "int", [POINTER, "int"]);
export const alpnSelected = declare<[number, number, number], void>("SSL_get0_alpn_selected", "void", [
	POINTER,
	POINTER,
	POINTER,
]);
export const versionOf = declare<[number], string>("SSL_get_version", "str", [POINTER]);
export const versionNumberOf = declare<[number]>("SSL_version", "int", [POINTER]);
export const currentCipher = declare<[number]>("SSL_get_current_cipher", POINTER, [POINTER]);
export const cipherName = declare<[number], string>("SSL_CIPHER_get_name", "str", [POINTER]);
export const sessionReused = declare<[number]>("SSL_session_reused", "int", [POINTER]);
/** Lent: it belongs to the session. */
export const peerCertificate = declare<[number]>("SSL_get0_peer_certificate", POINTER, [POINTER]);
/** EVP_sha256 */
export const sha256 = declare<[]>("EVP_sha256", POINTER, []);
export const digestOf = declare<[number, number, number, number]>("X509_digest", "int", [
	POINTER,
	POINTER,
	POINTER,
	POINTER,
]);
export const verifyResult = declare<[number]>("SSL_get_verify_result", "long", [POINTER]);
export const verifyText = declare<[number], string>("X509_verify_cert_error_string", "str", ["long"]);
/** As its context's was when it was made. */
export const verifyModeOf = declare<[number]>("SSL_get_verify_mode", "int", [POINTER]);
/** What the peer is still to be told of new keys; -1: nothing. */
export const keyUpdateOf = declare<[number]>("SSL_get_key_update_type", "int", [POINTER]);
export const takeResumption = declare<[number]>("SSL_get1_session", POINTER, [POINTER]);
export const setResumption = declare<[number, number]>("SSL_set_session", "int", [POINTER, POINTER]);
export const isResumable = declare<[number]>("SSL_SESSION_is_resumable", "int", [POINTER]);
export const freeResumption = declare<[number], void>("SSL_SESSION_free", "void", [POINTER]);

// Errors: a queue per thread

export const peekError = declare<[]>("ERR_peek_error", "ulong", []);
export const takeError = declare<[]>("ERR_get_error", "ulong", []);
export const clearErrors = declare<[], void>("ERR_clear_error", "void", []);
export const reasonText = declare<[number], string | null>("ERR_reason_error_string", "str", ["ulong"]);

// Called from within callbacks

export const selectProtocol = declare<[number, number, number, number, number, number]>(
	"SSL_select_next_proto",
	"int",
	[POINTER, POINTER, POINTER, "uint", POINTER, "uint"],
);
export const allocate = declare<[number, number, number]>("CRYPTO_malloc", POINTER, [
	"size_t",
	POINTER,
	"int",
]);
export const copy = declare<[number, number, number]>("memcpy", POINTER, [POINTER, POINTER, "size_t"]);
export const compare = declare<[number, number, number]>("memcmp", "int", [POINTER, POINTER, "size_t"]);
export const randomBytes = declare<[number, number]>("RAND_bytes", "int", [POINTER, "int"]);
export const fetchCipher = declare<[number, string, number]>("EVP_CIPHER_fetch", POINTER, [
	POINTER,
	"str",
	POINTER,
]);
export const freeCipher = declare<[number], void>("EVP_CIPHER_free", "void", [POINTER]);
export const beginEncryption = declare<[number, number, number, number, number]>(
	"EVP_EncryptInit_ex",
	"int",
	[POINTER, POINTER, POINTER, POINTER, POINTER],
);
export const beginDecryption = declare<[number, number, number, number, number]>(
	"EVP_DecryptInit_ex",
	"int",
	[POINTER, POINTER, POINTER, POINTER, POINTER],
);
export const setMacParameters = declare<[number, number]>("EVP_MAC_CTX_set_params", "int", [
	POINTER,
	POINTER,
]);

/** A function of ours that OpenSSL calls, in the thread that registered it, while it is being called itself. */
export interface Callback {
	readonly pointer: number;
	unregister(): void;
}

/** `undefined` where nothing can be registered. */
function declareCallback(name: string, types: readonly string[]): TypeObject | undefined {
	return koffi?.proto(name, "int", [...types]);
}

const AlpnFunction = declareCallback("SluiceAlpn", [POINTER, POINTER, POINTER, POINTER, "uint", POINTER]);
const StatusFunction = declareCallback("SluiceStatus", [POINTER, POINTER]);
const TicketFunction = declareCallback("SluiceTicket", [POINTER, POINTER, POINTER, POINTER, POINTER, "int"]);

function register(call: (...args: number[]) => number, type: TypeObject | undefined): Callback {
	if (koffi === undefined || type === undefined) return failMissing();
	const { unregister } = koffi;
	const pointer = koffi.register(call, koffi.pointer(type));
	return { pointer: Number(pointer), unregister: () => unregister(pointer) };
}

/** `(session, out, outLength, offered, offeredLength, argument)` */
export function registerAlpn(
	call: (...args: [number, number, number, number, number, number]) => number,
): Callback {
	return register(call as (...args: number[]) => number, AlpnFunction);
}

/** `(session, argument)` */
export function registerStatus(call: (...args: [number, number]) => number): Callback {
	return register(call as (...args: number[]) => number, StatusFunction);
}

/** `(session, name, iv, cipher, mac, encrypting)` */
export function registerTicket(
	call: (...args: [number, number, number, number, number, number]) => number,
): Callback {
	return register(call as (...args: number[]) => number, TicketFunction);
}
