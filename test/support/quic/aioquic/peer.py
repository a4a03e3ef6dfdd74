"""
A QUIC client and server over aioquic, for the end-to-end tests of the gateway: a second stack, of another make than
quic-go. It speaks what ../peers.ts says.

    peer.py server --name a --cert FILE --key FILE [--retry]
    peer.py client --addr HOST:PORT --sni NAME [--bytes N] [--v2] [--datagrams 2] [--rebind] [--zero-rtt]
        [--odd-version]

Both print a line of JSON for each thing that happens.
"""

import argparse
import asyncio
import hashlib
import json
import ssl

from aioquic.asyncio import serve
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted
from aioquic.quic.packet import QuicProtocolVersion

PROTOCOL = "sluice-test"
IDLE_S = 30.0

# How often a client speaks: who has moved while all that was on its way is lost would wait for ever, because its server
# does not know yet where it is.
KEEP_ALIVE_S = 0.2
# One of those that are never to be in use (RFC 9000, section 15).
UNKNOWN_VERSION = 0x1A2A3A4A
V1, V2 = QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2

# What a download consists of, in pieces of 256 bytes: each byte follows from its place.
BLOCKS = [bytes(place ^ other for place in range(256)) for other in range(256)]


def content(count):
    whole = b"".join(BLOCKS[(at ^ at >> 8) & 0xFF] for at in range((count + 255) // 256))
    return whole[:count]


def say(**line):
    print(json.dumps(line), flush=True)


def text(address):
    return f"{address[0]}:{address[1]}"


class Served(QuicConnectionProtocol):
    """Tells at both ends of a connection where the client is: for whoever stands behind a gateway, that stays."""

    def quic_event_received(self, event):
        super().quic_event_received(event)
        if isinstance(event, HandshakeCompleted):
            say(event="accepted", alpn=event.alpn_protocol, early=event.early_data_accepted, **self.place())
        elif isinstance(event, ConnectionTerminated):
            say(event="closed", **self.place())

    def place(self):
        return {"from": text(self._quic._network_paths[0].addr)}


async def run_server(options):
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=[PROTOCOL], supported_versions=[V1, V2], idle_timeout=IDLE_S
    )
    configuration.load_cert_chain(options.cert, options.key)
    tickets = {}

    async def answer(reader, writer):
        word, _, count = (await reader.readline()).decode().strip().partition(" ")
        if word == "get" and count.isdigit():
            writer.write(options.name.encode() + b"\n" + content(int(count)))
        else:
            writer.write(b"no request\n")
        writer.write_eof()

    tasks = set()

    def started(reader, writer):
        task = asyncio.ensure_future(answer(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await serve(
        "127.0.0.1",
        0,
        configuration=configuration,
        create_protocol=Served,
        retry=options.retry,
        stream_handler=started,
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
        session_ticket_handler=lambda ticket: tickets.__setitem__(ticket.ticket, ticket),
    )
    say(event="listening", port=server._transport.get_extra_info("sockname")[1])
    await asyncio.Event().wait()


class Forward(asyncio.DatagramProtocol):
    """Of a second socket: what comes there belongs to the connection that moved to it."""

    def __init__(self, connection):
        self.connection = connection

    def datagram_received(self, data, addr):
        self.connection.datagram_received(data, addr)


class Client:
    def __init__(self, options):
        self.options = options
        host, port = options.addr.rsplit(":", 1)
        self.to = (host, int(port))
        self.tickets = asyncio.Queue()

    async def run(self):
        ticket = await self.connection(None)
        if self.options.zero_rtt:
            await self.connection(ticket)

    async def connection(self, ticket):
        """Makes one request over one connection, prints what came of it, and returns the ticket for another."""
        options = self.options
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=[PROTOCOL],
            server_name=options.sni,
            verify_mode=ssl.CERT_NONE,
            supported_versions=[UNKNOWN_VERSION] * options.odd_version + [V2 if options.v2 else V1],
            quantum_readiness_test=options.datagrams == 2,
            session_ticket=ticket,
            idle_timeout=IDLE_S,
        )
        quic = QuicConnection(configuration=configuration, session_ticket_handler=self.tickets.put_nowait)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(
            lambda: QuicConnectionProtocol(quic), local_addr=("127.0.0.1", 0)
        )
        protocol.connect(self.to, transmit=ticket is None)
        if ticket is None:
            await protocol.wait_connected()
        speaking = asyncio.ensure_future(self.keep_alive(protocol))
        name, data = await self.request(protocol)
        say(
            server=name,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            version=2 if quic._version == V2 else 1,
            postQuantum=False,
            resumed=quic.tls.session_resumed,
            early=quic.tls.early_data_accepted,
        )
        # Every connection brings one.
        ticket = await self.tickets.get()
        speaking.cancel()
        protocol.close()
        await protocol.wait_closed()
        protocol._transport.close()
        return ticket

    async def keep_alive(self, protocol):
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            protocol._quic.send_ping(0)
            protocol.transmit()

    async def request(self, protocol):
        reader, writer = await protocol.create_stream()
        writer.write(b"get %d\n" % self.options.bytes)
        writer.write_eof()
        name = (await reader.readline()).decode().strip()
        data = await reader.readexactly(self.options.bytes // 2)
        if self.options.rebind:
            await self.move(protocol)
        return name, data + await reader.read()

    async def move(self, protocol):
        """Goes on from another port, as for a client whose NAT has forgotten it."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Forward(protocol), local_addr=("127.0.0.1", 0)
        )
        protocol._transport.close()
        protocol._transport = transport


def parse():
    parser = argparse.ArgumentParser()
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server")
    for option in ["--name", "--cert", "--key"]:
        server.add_argument(option, required=True)
    server.add_argument("--retry", action="store_true", help="has every client prove its address first")
    client = roles.add_parser("client")
    client.add_argument("--addr", required=True)
    client.add_argument("--sni", required=True)
    client.add_argument("--bytes", type=int, default=0)
    client.add_argument("--v2", action="store_true", help="speaks QUIC version 2 only")
    client.add_argument("--odd-version", action="store_true", help="begins with a version that nobody speaks")
    client.add_argument("--datagrams", type=int, default=1, help="2: a hello as long as a post-quantum one")
    client.add_argument("--rebind", action="store_true", help="goes on from another port midway")
    client.add_argument("--zero-rtt", action="store_true", help="connects again, with its request in the hello's flight")
    return parser.parse_args()


async def main(options):
    if options.role == "server":
        await run_server(options)
    else:
        await asyncio.wait_for(Client(options).run(), 2 * IDLE_S)


asyncio.run(main(parse()))
