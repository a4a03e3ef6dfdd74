/** `sluice token new`: a key for an agent. The gateway never sees the secret half of it. */
import { newToken, readToken } from "../tunnel/keys.js";

/**
 * What is printed. Text: the token, and the line for the gateway's file.
 *
 * @throws TokenError for an id that is none
 */
export function printedToken(id: string, { json = false }: { readonly json?: boolean }): string {
	const token = newToken(id);
	const publicKey = Buffer.from(readToken(token).publicKey).toString("base64url");
	if (json) return `${JSON.stringify({ id, token, public_key: publicKey })}\n`;
	return [
		`token: ${token}`,
		"",
		"It is shown this once: give it to the agent, in SLUICE_TOKEN or in a file for --token-file.",
		"In the gateway's file, under tunnels.agents, with the names that it may open:",
		"",
		`  - { id: ${id}, public_key: "${publicKey}", names: [app] }`,
		"",
	].join("\n");
}
