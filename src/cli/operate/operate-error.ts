/** The command line cannot be followed, or the gateway not be asked; the message says what to do. */
export class OperateError extends Error {
	override readonly name = "OperateError";
}

/** How every operator's command is told where to ask, and how to answer. */
export interface Where {
	readonly config?: string;
	readonly admin?: string;
	readonly ca?: string;
	readonly token?: string;
	readonly json?: boolean;
}
