#!/usr/bin/env node
/** The `sluice` command. Signals first: everything else is loaded when they are heard. */
import { ignoreInspectorSignal } from "../kernel/inspector-signal.js";

ignoreInspectorSignal();
await import("./program.js");
