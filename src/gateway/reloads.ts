/** How reloads went, since the start. */

export class Reloads {
	succeeded = 0;
	failed = 0;
	/** The last one did, or there was none. */
	lastSucceeded = true;
	/** When the configuration in force was taken, at start or by a reload. */
	succeededAtMs = Date.now();

	success(): void {
		this.succeeded++;
		this.lastSucceeded = true;
		this.succeededAtMs = Date.now();
	}

	failure(): void {
		this.failed++;
		this.lastSucceeded = false;
	}
}
