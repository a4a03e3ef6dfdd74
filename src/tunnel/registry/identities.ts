/** Who may log in, as the file says, and whether somebody is who he says. */
import type { TunnelAgentConfig, TunnelsConfig } from "../../config/config.js";
import { type Login, loginToSign } from "../../protocol/tunnel/index.js";
import { isSignature } from "../keys.js";

export class Identities {
	#agents = new Map<string, TunnelAgentConfig>();

	configure({ agents }: Pick<TunnelsConfig, "agents">): void {
		this.#agents = new Map(agents.map((agent) => [agent.id, agent]));
	}

	/** `undefined`: the file names it no more, or not with this key. */
	find(id: string, key: Uint8Array): TunnelAgentConfig | undefined {
		const agent = this.#agents.get(id);
		return agent?.publicKeys.includes(Buffer.from(key).toString("base64url")) ? agent : undefined;
	}

	/**
	 * The agent that has signed this login, over this connection's exporter and challenge. `undefined` for everybody else; how long
	 * that takes does not tell whether there is such an id, because the signature is looked at in any case.
	 */
	authenticate(login: Login, exporter: Uint8Array, challenge: Uint8Array): TunnelAgentConfig | undefined {
		const { id, key, signature } = login;
		const isSigned = isSignature(key, loginToSign(exporter, challenge, id), signature);
		const agent = this.find(id, key);
		return isSigned ? agent : undefined;
	}
}
