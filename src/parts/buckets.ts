/** The buckets of all histograms: upper bounds in seconds, from a loopback's connect to a deadline. */
export const SECONDS_BUCKETS = [
	0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;
