/** An admin port in a thread of its own, so that a fault there is seen and does not end the test. */
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";
import { openAdmin } from "../../src/admin/server.js";
import { viewOf } from "./view.js";

const { server } = await openAdmin({ host: "127.0.0.1", port: 0 }, viewOf());
server.ref();
parentPort?.postMessage((server.address() as AddressInfo).port);
