/** All pages of the reference, as the code gives them. */

import { apiPage } from "./api.js";
import { cliPage } from "./cli.js";
import { agentPage, configurationPage } from "./configuration.js";
import type { ReferencePage } from "./markdown.js";
import { metricsPage } from "./metrics.js";
import { reasonsPage } from "./reasons.js";

export function referencePages(): readonly ReferencePage[] {
	return [reasonsPage(), metricsPage(), apiPage(), cliPage(), configurationPage(), agentPage()];
}
