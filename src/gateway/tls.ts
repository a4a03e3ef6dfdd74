/** What a gateway holds of TLS: the certificates in force, the watch over their files, and the keys of tickets. */
import type { Config } from "../config/config.js";
import { FileWatch } from "../parts/file-watch.js";
import { type Certificates, loadCertificates, NO_CERTIFICATES } from "./certificates.js";
import type { Logger } from "./log.js";
import type { TlsMaterial } from "./plan.js";
import { TicketKeys } from "./ticket-keys.js";

export interface TlsOptions {
	readonly logger: Logger;
	/** A file has changed since it was read. */
	readonly filesChanged: () => void;
	/** New sessions get tickets of the first of these keys. */
	readonly keysChanged: (keys: readonly Uint8Array[]) => void;
}

export class Tls {
	/** What the files held when they were read last, and all of it was good. */
	certificates: Certificates = NO_CERTIFICATES;
	readonly #logger: Logger;
	readonly #watch: FileWatch;
	readonly #ticketKeys: TicketKeys;

	constructor({ logger, filesChanged, keysChanged }: TlsOptions) {
		this.#logger = logger;
		this.#watch = new FileWatch(filesChanged);
		this.#ticketKeys = new TicketKeys(keysChanged);
	}

	/** What a plan is made of. */
	get material(): TlsMaterial {
		return { certificates: this.certificates, ticketKeys: this.#ticketKeys.keys };
	}

	/**
	 * Reads the files that a config names, and warns about what works, but not as it should. Changes nothing.
	 *
	 * @throws CertificateError
	 */
	read(config: Config): Certificates {
		const certificates = loadCertificates(config);
		for (const warning of certificates.warnings) this.#logger.warn(warning);
		return certificates;
	}

	/** Watches the files in force from now on. */
	watch({ tls }: Config): void {
		this.#watch.follow(this.certificates.files, tls.reloadMs);
	}

	/** Files have changed. What is in them is used when all of it is good: a renewal writes several, one by one. */
	async renew(config: Config, apply: () => Promise<void>): Promise<void> {
		const before = this.certificates;
		try {
			this.certificates = this.read(config);
			await apply();
			this.#logger.info({ files: this.certificates.files.size }, "certificates reloaded");
		} catch (error) {
			this.certificates = before;
			this.#logger.error(
				{ error: (error as Error).message },
				"certificates not reloaded: the earlier ones stay in use",
			);
		}
	}

	close(): void {
		this.#watch.close();
		this.#ticketKeys.close();
	}
}
