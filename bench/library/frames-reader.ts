/** The other end of the frames, in a process of its own so that its CPU is not counted. Argument: the port. */
import { connect } from "node:net";

connect(Number(process.argv[2]), "127.0.0.1").resume();
process.stdin.on("end", () => process.exit(0)).resume();
