/**
 * Wire formats as pure functions over bytes: no sockets, no waiting, and on the way to success no allocation.
 *
 * Every parser is called with what has arrived so far, `bytes[start, end)`, and an object for its result that the
 * caller owns and uses again. It answers COMPLETE, NEED_MORE (with how much, `needBytes`) or MALFORMED (with a
 * constant, `cause`), keeps nothing between calls, and reads nothing outside the range. Once more bytes are
 * there, it is called again from the same start.
 *
 * @example
 * const recognition = new Recognition();
 * if (recognize(peeked, 0, length, recognition) === COMPLETE && recognition.protocol === PROTOCOL_TLS) {
 * 	console.log(recognition.hello.serverName, recognition.hello.alpnProtocols);
 * }
 *
 * @module
 */
export { formatAddress, isIpv4Mapped, parseIpv4, parseIpv6 } from "./address.js";
export { CLIENT_HELLO_WIRE_LIMIT_BYTES, parseClientHello } from "./client-hello.js";
export { CLIENT_HELLO_LIMIT_BYTES, ClientHello, type ClientHelloFault } from "./hello.js";
export { causeName } from "./http/causes.js";
export { HEAD_LIMIT_BYTES } from "./http/head-end.js";
export { parseRequest, RequestHead } from "./http/request.js";
export {
	PROTOCOL_DTLS,
	PROTOCOL_H2C,
	PROTOCOL_HTTP,
	PROTOCOL_NAMES,
	PROTOCOL_OTHER,
	PROTOCOL_QUIC,
	PROTOCOL_SSH,
	PROTOCOL_TLS,
	PROTOCOL_UNKNOWN,
} from "./protocols.js";
export {
	PROXY_HEADER_LIMIT_BYTES,
	PROXY_V1_LIMIT_BYTES,
	ProxyHeader,
	type ProxyHeaderFault,
	parseProxyHeader,
	writeProxyV1,
	writeProxyV2,
} from "./proxy-protocol.js";
export { PEEK_LIMIT_BYTES, REQUEST_LINE_LIMIT_BYTES, Recognition, recognize } from "./recognize.js";
export {
	parseSshIdentification,
	SSH_IDENTIFICATION_LIMIT_BYTES,
	SshIdentification,
	type SshIdentificationFault,
} from "./ssh.js";
export { beginsSsl2Record, recognizeSsl2Hello } from "./ssl2-hello.js";
export { ALERT_PROTOCOL_VERSION, alertForHello, tlsAlert } from "./tls-alerts.js";
export { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";
