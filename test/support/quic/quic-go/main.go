// A QUIC client and server over quic-go, for the end-to-end tests of the gateway: a real peer of another make at either
// end. It speaks what ../peers.ts says, and the server serves HTTP/3 beside it.
//
//	quic server --name a --cert FILE --key FILE [--retry] [--server-id HEX]
//	quic client --addr HOST:PORT --sni NAME [--bytes N] [--v2] [--datagrams 1] [--rebind | --migrate]
//		[--zero-rtt | --beside NAME]
//
// Both print a line of JSON for each thing that happens.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/quic-go/quic-go"
)

// Protocol is the ALPN of the requests that ../peers.ts describes.
const Protocol = "sluice-test"

// Silence after which a connection is over: long enough for a machine on which much else runs.
const idle = 30 * time.Second

// How often a client speaks that hears nothing: who has moved while all that was on its way is lost would wait for ever,
// because its server does not know yet where it is.
const keepAlive = 200 * time.Millisecond

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: %s server|client …", os.Args[0]))
	}
	switch role, args := os.Args[1], os.Args[2:]; role {
	case "server":
		fail(serve(args))
	case "client":
		if err := ask(args); err != nil {
			fail(err)
		}
	default:
		fail(fmt.Errorf("%s is neither server nor client", role))
	}
}

func config(versions ...quic.Version) *quic.Config {
	return &quic.Config{
		Versions:             versions,
		Allow0RTT:            true,
		MaxIdleTimeout:       idle,
		HandshakeIdleTimeout: idle,
	}
}

// say prints one line; lines of several goroutines do not mix, because each is one write.
func say(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		fail(err)
	}
	os.Stdout.Write(append(text, '\n'))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
