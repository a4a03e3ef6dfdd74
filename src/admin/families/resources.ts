/** Families of what the gateway uses up: memory, descriptors, accept queues, loops, the process. */
import { counter, gauge, histogram } from "../../parts/families.js";

export const RESOURCE_FAMILIES = {
	sluice_buffered_bytes: gauge("Bytes taken from one side and not yet by the other."),
	sluice_chunks_lent: gauge("Buffers in use.", [], { more: "Those bytes lie in them." }),
	sluice_pipes_open: gauge("Pipes for splicing, two descriptors each."),
	sluice_pipes_lent: gauge("Pipes that hold bytes now."),
	sluice_spliced_bytes_total: counter("Bytes moved inside the kernel."),
	sluice_memory_limit_bytes: gauge("What sessions may hold (limits.memory)."),
	sluice_socket_memory_bytes: gauge(
		"What the kernel held for this process's connections when it was asked last.",
		[],
		{ more: "It is asked at a check of the ledger by `/api/ledger`, and when memory is short." },
	),
	sluice_system_socket_memory_bytes: gauge("What the kernel holds for all TCP sockets of the system."),
	sluice_memory_pressure: gauge("1 while sessions are closed because memory has run out."),
	sluice_descriptors_opened_total: counter("Descriptors that the ledger saw opened.", ["kind"], {
		more: "Less `sluice_descriptors_closed_total`, these are alive.",
		see: "reliability.md#the-ledger",
	}),
	sluice_descriptors_closed_total: counter("Descriptors that the ledger saw closed.", ["kind"]),
	sluice_ledger_checks_total: counter("Times the ledger was held against the kernel."),
	sluice_ledger_discrepancy: gauge(
		"What did not fit when it was: descriptors without an owner, owners without theirs, sums that differ.",
		[],
		{ more: "Anything but 0 is a fault, and the log names it.", see: "reliability.md#the-ledger" },
	),
	sluice_accept_pauses_total: counter("Times a listener rested, by cause.", ["cause"], {
		more: "`descriptors` or `connections` were used up, or the `rate` was reached.",
	}),
	sluice_rate_waits_total: counter(
		"Times a session was not read from because it had used up its bytes_per_second.",
		[],
		{ see: "configuration.md#rates-of-bytes" },
	),
	sluice_accept_queue_depth: gauge("Connections waiting to be accepted.", ["listener"], {
		more: "`sluice_accept_wait_seconds` tells how long.",
	}),
	sluice_accept_queue_limit: gauge("How many may wait, over all reactors.", ["listener"]),
	sluice_kernel_syn_received: gauge(
		"Half-open connections (SYN_RECV): their SYN was answered, and the answer was not acknowledged yet.",
		["listener"],
		{
			more: "A listener has at most as many as `sluice_accept_queue_limit`. Asked of the kernel at each scrape, by sock_diag(7); left out where it does not tell.",
		},
	),
	sluice_kernel_listen_overflows_total: counter(
		"Handshakes that met a full accept queue, in the whole network namespace (ListenOverflows).",
	),
	sluice_kernel_listen_drops_total: counter(
		"Handshakes dropped at listeners, in the whole network namespace (ListenDrops).",
	),
	sluice_kernel_syncookies_sent_total: counter(
		"SYNs that were answered with a cookie, in the whole network namespace (SyncookiesSent).",
		[],
		{
			more: "A listener had as many half-open connections as its backlog allows.",
			see: "handshakes.md#a-syn-flood",
		},
	),
	sluice_kernel_syncookies_failed_total: counter(
		"Acknowledgements whose cookie was none, or too old, in the whole network namespace (SyncookiesFailed).",
	),
	sluice_accept_aborted_total: counter("Connections that were gone before they could be accepted."),
	sluice_stale_events_total: counter("Readiness events for connections closed before."),
	sluice_turns_total: counter("Turns of the reactors' loops."),
	sluice_turn_seconds: histogram(
		"How long turns of the reactors' loops take: others wait for their end.",
		[],
		{ more: "By the clock. Turns of more than 5 ms on a machine that is not overloaded are a fault." },
	),
	sluice_turn_longest_seconds: gauge("The longest turn since the start."),
	sluice_log_lines_dropped_total: counter(
		"Log lines lost because their reader was too slow, or because they could not be written.",
	),
	sluice_reloads_total: counter("Reloads of the configuration.", ["result"], {
		more: '`result` is `succeeded` or `failed`. By SIGHUP, `watch` or an operator; a certificate that is renewed without any of these is not counted: the log says "certificates reloaded", or "certificates not reloaded: the earlier ones stay in use".',
	}),
	sluice_reload_success: gauge(
		"1 when the last reload succeeded, or there was none yet; 0 when it failed and the configuration before is in force.",
	),
	sluice_reload_success_timestamp_seconds: gauge(
		"When the configuration in force was taken: at start, or at the last reload that succeeded (Unix time).",
	),
};

export const PROCESS_FAMILIES = {
	sluice_thread_heap_bytes: gauge("What a thread has on its JavaScript heap.", ["thread"], {
		more: "`thread` is `main`, or `reactor:0` and so on, whose figures are at most 100 ms older than their last turn.",
	}),
	sluice_thread_external_bytes: gauge("Buffers beside the heap of a thread.", ["thread"]),
	sluice_thread_collector_seconds_total: counter(
		"Time that a thread's garbage collector has had, while the thread stood still.",
		["thread"],
		{ more: "While a reactor's runs, its connections wait." },
	),
	sluice_main_delay_longest_seconds: gauge(
		"How late the main thread's loop was at the worst, since this was asked last.",
	),
	sluice_build_info: gauge("1; its labels say what runs.", ["version", "node"]),
	process_open_fds: gauge("Open descriptors."),
	process_max_fds: gauge("Descriptors that may be open."),
	process_cpu_seconds_total: counter("CPU time used."),
	process_resident_memory_bytes: gauge("Resident memory."),
	process_start_time_seconds: gauge("When the process started."),
};
