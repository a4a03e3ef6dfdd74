/** What connections are spoken to with. */
import type { TlsLibrary } from "../../kernel/openssl/tls.js";
import type { MemoryContext } from "../memory/context.js";
import type { Certificates } from "../plan/certificates.js";
import type { Engine } from "./engine.js";
import type { Paces } from "./paces.js";
import type { Secures } from "./secures.js";

export interface WireContext extends MemoryContext {
	/** What moves their bytes, and tells their news. */
	readonly engine: Engine;
	/** What is known of connections that speak TLS with us. */
	readonly secures: Secures;
	/** What is known of sessions that have a rate. */
	readonly paces: Paces;
	readonly certificates: Certificates;
	/** The TLS library of this thread, opened when it is asked for: do not, for connections that have no use for it. */
	readonly tls: TlsLibrary;
}
