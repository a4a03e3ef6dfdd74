/** The command line cannot be followed, or the gateway not be asked; the message says what to do. */
export class OperateError extends Error {
	override readonly name = "OperateError";
	/** The gateway has refused; absent: it was not asked, or has not answered. */
	readonly refusal: Refused | undefined;

	constructor(message: string, refusal?: Refused) {
		super(message);
		this.refusal = refusal;
	}
}

/** How the API refuses. */
export interface Refused {
	readonly status: number;
	/** Of several messages: how many were published before the one that was refused. */
	readonly published?: number | undefined;
}

/** How every operator's command is told where to ask, and how to answer. */
export interface Where {
	readonly config?: string;
	readonly admin?: string;
	readonly ca?: string;
	readonly token?: string;
	readonly json?: boolean;
}
