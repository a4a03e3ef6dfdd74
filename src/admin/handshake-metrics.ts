/** What `/metrics` shows of clients between their SYN and accept: the queues of listeners, and what the kernel counts of handshakes. */
import type { MetricsPage } from "./families/families.js";
import type { AdminView } from "./view.js";

export function handshakes(page: MetricsPage, view: AdminView): void {
	page.family("sluice_accept_queue_depth");
	for (const { listener, depth } of view.acceptQueues())
		page.sample("sluice_accept_queue_depth", { listener }, depth);
	page.family("sluice_accept_queue_limit");
	for (const { listener, limit } of view.acceptQueues())
		page.sample("sluice_accept_queue_limit", { listener }, limit);
	halfOpen(page, view);
	counted(page, view);
}

/** Left out where the kernel does not tell, or no descriptor is left to ask it through. */
function halfOpen(page: MetricsPage, view: AdminView): void {
	let found: ReturnType<AdminView["halfOpen"]>;
	try {
		found = view.halfOpen();
	} catch {
		return;
	}
	page.family("sluice_kernel_syn_received");
	for (const { listener, count } of found) page.sample("sluice_kernel_syn_received", { listener }, count);
}

function counted(page: MetricsPage, view: AdminView): void {
	let figures: ReturnType<AdminView["handshakes"]>;
	try {
		figures = view.handshakes();
	} catch {
		return;
	}
	page.single("sluice_kernel_listen_overflows_total", figures.overflows);
	page.single("sluice_kernel_listen_drops_total", figures.drops);
	page.single("sluice_kernel_syncookies_sent_total", figures.cookiesSent);
	page.single("sluice_kernel_syncookies_failed_total", figures.cookiesFailed);
}
