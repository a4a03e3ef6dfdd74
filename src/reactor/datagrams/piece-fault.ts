/** What is wrong with a piece of a hello. */
import { PIECE_CONFLICT, PIECE_TOO_FAR, PIECE_TOO_MANY } from "../../protocol/pieces.js";

/** Of what `Pieces.add` says, "" where it is no fault. */
export function pieceFault(added: number): string {
	switch (added) {
		case PIECE_CONFLICT:
			return "piece_conflict";
		case PIECE_TOO_FAR:
			return "hello_too_long";
		case PIECE_TOO_MANY:
			return "too_many_pieces";
		default:
			return "";
	}
}
