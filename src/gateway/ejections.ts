/** Tells of ejected addresses: once when it begins, and once when they accept connections again. */
import type { Board } from "../upstream/board.js";
import type { Logger } from "./log.js";

export interface WatchedAddress {
	/** Place on the board. */
	readonly board: number;
	readonly upstream: string;
	/** `10.0.0.5:443` */
	readonly label: string;
}

/** Looks without a failure after which it is over: an address that comes and goes must not fill the log. */
const QUIET_LOOKS = 3;

interface Watched {
	readonly address: WatchedAddress;
	/** As of the last look. */
	ejections: number;
	/** Looks since the last failure; `undefined`: nothing is told. */
	quiet: number | undefined;
}

export class Ejections {
	readonly #board: Board;
	readonly #logger: Logger;
	/** By place. */
	#watched = new Map<number, Watched>();

	constructor(board: Board, logger: Logger) {
		this.#board = board;
		this.#logger = logger;
	}

	/** Watches exactly these addresses from now on. */
	follow(addresses: readonly WatchedAddress[]): void {
		const before = this.#watched;
		this.#watched = new Map();
		for (const address of addresses) {
			const known = before.get(address.board);
			// Places are given away, and their figures go on.
			const isSame = known?.address.label === address.label && known.address.upstream === address.upstream;
			this.#watched.set(
				address.board,
				isSame ? known : { address, ejections: this.#board.ejections(address.board), quiet: undefined },
			);
		}
	}

	look(): void {
		for (const watched of this.#watched.values()) this.#lookAt(watched);
	}

	#lookAt(watched: Watched): void {
		const { board, upstream, label } = watched.address;
		const ejections = this.#board.ejections(board);
		const failures = this.#board.failures(board);
		const fields = { upstream, address: label };
		if (ejections !== watched.ejections) {
			watched.ejections = ejections;
			if (watched.quiet === undefined)
				this.#logger.warn(
					{ ...fields, failures },
					"an upstream address is ejected: connecting to it fails again and again",
				);
			watched.quiet = 0;
		}
		if (watched.quiet === undefined) return;
		// While nobody tries it, nobody knows.
		watched.quiet = failures === 0 ? watched.quiet + 1 : 0;
		if (watched.quiet < QUIET_LOOKS) return;
		watched.quiet = undefined;
		this.#logger.info(fields, "an ejected upstream address accepts connections again");
	}
}
