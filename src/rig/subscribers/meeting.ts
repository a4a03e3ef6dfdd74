/** What subscribers meet besides messages that have a number. */

export interface Meeting {
	/** Some other text, such as a notice. */
	said(place: number, text: string): void;
	/** The server sends it away, and says why: a code and a text (RFC 6455, section 5.5.1). Its connection ends behind that. */
	sentAway(place: number, code: number, text: string): void;
	/** Its connection has ended, and its place is free. `error`: of the kernel; `null`: an end like others. */
	ended(place: number, error: string | null): void;
}

/** Where nobody is to be sent away, that is an error. */
export const ALL_STAY: Meeting = {
	said() {},
	sentAway(_place, code, text) {
		throw new Error(`a subscriber was sent away: ${code === NO_CODE ? "no code" : code} ${text}`);
	},
	ended(_place, error) {
		throw new Error(`a subscriber's connection ended: ${error ?? "closed"}`);
	},
};

/** Of who is sent away without one. */
export const NO_CODE = 0;
