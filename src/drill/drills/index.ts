/** All drills, in the order in which they are listed. */
import type { Drill } from "../drill.js";
import { acceptQueueDrill } from "./accept-queue.js";
import { burst } from "./burst.js";
import { churn } from "./churn.js";
import { exhaust } from "./exhaust.js";
import { garbage } from "./garbage.js";
import { halfOpen } from "./half-open.js";
import { hold } from "./hold.js";
import { memory } from "./memory.js";
import { pipelines } from "./pipelines.js";
import { resetStorm } from "./reset-storm.js";
import { slowBody } from "./slow-body.js";
import { slowReader } from "./slow-reader.js";
import { slowSubscriber } from "./slow-subscriber.js";
import { slowHttpTest } from "./slowhttptest.js";
import { slowloris } from "./slowloris.js";
import { synFlood } from "./syn-flood.js";
import { udpExpire } from "./udp-expire.js";
import { udpFlood } from "./udp-flood.js";

export const DRILLS: readonly Drill[] = [
	slowloris,
	hold,
	exhaust,
	burst,
	slowBody,
	slowReader,
	memory,
	halfOpen,
	resetStorm,
	pipelines,
	garbage,
	churn,
	slowHttpTest,
	acceptQueueDrill,
	synFlood,
	udpFlood,
	udpExpire,
	slowSubscriber,
];
