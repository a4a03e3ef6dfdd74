/**
 * Sockets that a service manager has opened for this process. They stay open for as long as it runs, over reloads too: who opened them
 * holds them as well, so their ports could not be bound anew. A listener with the address of one accepts at descriptors of that socket,
 * one for each reactor, and all of them take from one queue.
 */
import { bindText, overlap } from "../config/bind-rules.js";
import type { ListenerConfig } from "../config/config.js";
import { IPPROTO_TCP, TCP_NODELAY } from "../kernel/constants.js";
import { type InheritedSocket, sharedDescriptors } from "../kernel/inherited-sockets.js";
import {
	type ConnectionOptions,
	closeDescriptor,
	type Listener,
	setConnectionOptions,
	setOption,
	startListening,
} from "../kernel/sockets.js";
import { formatAddress } from "../protocol/index.js";
import { StartError } from "./errors.js";
import { addressBytes } from "./plan.js";

export class Inherited {
	readonly sockets: readonly InheritedSocket[];

	/** @throws StartError when one is of no use to a listener */
	constructor(sockets: readonly InheritedSocket[]) {
		this.sockets = sockets;
		for (const socket of sockets) {
			const why = whyUseless(socket);
			if (why !== undefined) throw new StartError(`cannot use the socket ${titleOf(socket)}: ${why}`);
		}
	}

	/** The socket that is bound as this listener would be. */
	socketOf(listener: ListenerConfig): InheritedSocket | undefined {
		if (listener.datagrams !== undefined || listener.port === 0) return undefined;
		const all = listener.host === "*";
		const address = all ? new Uint8Array(16) : addressBytes(listener.host);
		// Of one address of IPv6 it says nothing.
		const saysFamilies = all || listener.host === "::";
		return this.sockets.find(
			(socket) =>
				socket.port === listener.port &&
				Buffer.compare(socket.address, address) === 0 &&
				(!saysFamilies || socket.isV6Only !== all),
		);
	}

	/** One that stands in the way of this listener, as its unit has it. */
	obstacleTo({ host, port, datagrams }: ListenerConfig): string | undefined {
		if (datagrams !== undefined || port === 0) return undefined;
		const socket = this.sockets.find((each) => each.port === port && overlap(hostOf(each), host));
		return socket && `${socket.name} of the service manager is bound to ${placeOf(socket)}`;
	}
}

/** Has `count` reactors accept at a socket, whose queue and options are as the listener's are to be. */
export function openShared(
	socket: InheritedSocket,
	backlog: number,
	connection: ConnectionOptions,
	count: number,
): Listener {
	const fds = sharedDescriptors(socket.fd, count);
	try {
		setOption(socket.fd, IPPROTO_TCP, TCP_NODELAY, 1);
		setConnectionOptions(socket.fd, connection);
		startListening(socket.fd, backlog);
	} catch (error) {
		fds.forEach(closeDescriptor);
		throw error;
	}
	return { fds, port: socket.port };
}

/** `0.0.0.0:443 of sluice.socket` */
export function titleOf(socket: InheritedSocket): string {
	return socket.address.length === 0 ? `of ${socket.name}` : `${placeOf(socket)} of ${socket.name}`;
}

/** As a configuration writes it. */
function placeOf(socket: InheritedSocket): string {
	return bindText({ host: hostOf(socket), port: socket.port });
}

function hostOf({ address, isV6Only }: InheritedSocket): string {
	if (address.length === 16 && !isV6Only && address.every((byte) => byte === 0)) return "*";
	return formatAddress(address, 0, address.length === 4 ? 4 : 6);
}

function whyUseless({ kind, listens }: InheritedSocket): string | undefined {
	switch (kind) {
		case "tcp":
			return listens ? undefined : "it listens for nobody; the unit of the socket needs Accept=no";
		case "udp":
			return "it is one of UDP, which Sluice opens itself, one for each reactor: take its ListenDatagram= away";
		case "unix":
			return "it is a Unix socket, and listeners are ports: take its line in the unit away";
		case "other":
			return "it is no socket of TCP: take its line in the unit away";
	}
}
