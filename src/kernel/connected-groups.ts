/**
 * Sockets of one UDP port share what is sent to it by a hash that is divided by how many they are. One more that is connected, and
 * so hears one sender alone, is of their number up to Linux 6.12: the others' senders change places whenever it comes or goes, and
 * all such sockets are looked through for each datagram. Since 6.13 (udp_lib_hash4) it leaves their group, and is found by a hash of its
 * own.
 */
import { AF_INET, SO_REUSEPORT, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET } from "./constants.js";
import * as libc from "./libc.js";
import { encodeInternet } from "./sockaddr.js";
import { choosesAmongGroup } from "./socket-programs.js";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const DISCARD_PORT = 9;

/** Nothing is sent to find out. */
export function connectedLeaveGroups(): boolean {
	const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return false;
	const word = new Int32Array([1]);
	const own = encodeInternet(LOOPBACK, 0);
	const peer = encodeInternet(LOOPBACK, DISCARD_PORT);
	const isConnected =
		libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, libc.addressOf(word), 4) === 0 &&
		libc.bind(fd, libc.addressOf(own), own.length) === 0 &&
		libc.connect(fd, libc.addressOf(peer), peer.length) === 0;
	const leaves = isConnected && !choosesAmongGroup(fd);
	libc.close(fd);
	return leaves;
}
