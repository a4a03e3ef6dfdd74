/** What TLS to a gateway of tunnels is opened with: a context for each way to speak to one, of which an agent has one at a time. */
import type { TlsClientContext, TlsLibrary } from "../../kernel/openssl/tls.js";
import type { LineGateway } from "../plan/plan.js";

type GatewayTls = NonNullable<LineGateway["tls"]>;

export class GatewayContexts {
	readonly #library: () => TlsLibrary;
	#identity = "";
	#context: TlsClientContext | undefined;

	constructor(library: () => TlsLibrary) {
		this.#library = library;
	}

	/** @throws TlsConfigError */
	contextOf({ identity, client }: GatewayTls): TlsClientContext {
		if (this.#context !== undefined && this.#identity === identity) return this.#context;
		this.dispose();
		this.#identity = identity;
		this.#context = this.#library().clientContext(client);
		return this.#context;
	}

	/** Later lines continue this session, which costs neither side a signature. */
	remember({ identity }: GatewayTls, session: number): void {
		if (this.#identity === identity) this.#context?.remember(session);
	}

	/** A handshake failed: what it was to continue is not tried again for a while. */
	handshakeFailed({ identity }: GatewayTls, session: number): void {
		if (this.#identity === identity) this.#context?.handshakeFailed(session);
	}

	dispose(): void {
		this.#context?.free();
		this.#context = undefined;
		this.#identity = "";
	}
}
