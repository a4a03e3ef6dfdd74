package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/quic-go/quic-go"
)

type client struct {
	transport *quic.Transport
	to        *net.UDPAddr
	tls       *tls.Config
	quic      *quic.Config
	bytes     int
	// A ticket for the next connection has come.
	tickets chan struct{}
	// Called when half of a download has come.
	midway func(*quic.Conn) error
}

// A cache of sessions that tells what it is given.
type cache struct {
	tls.ClientSessionCache
	came chan struct{}
}

func (c *cache) Put(name string, session *tls.ClientSessionState) {
	c.ClientSessionCache.Put(name, session)
	select {
	case c.came <- struct{}{}:
	default:
	}
}

func ask(args []string) error {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	addr := flags.String("addr", "", "server")
	sni := flags.String("sni", "", "name that it asks for")
	bytes := flags.Int("bytes", 0, "how much it downloads")
	v2 := flags.Bool("v2", false, "speaks QUIC version 2 only")
	datagrams := flags.Int("datagrams", 2, "1: no post-quantum key share, so that the hello fits into one")
	rebind := flags.Bool("rebind", false, "goes on from another port when half of the download has come")
	migrate := flags.Bool("migrate", false, "moves to another port by itself then, under another connection ID")
	again := flags.Bool("zero-rtt", false, "connects a second time, and sends its request with the hello")
	besides := flags.String("beside", "", "another name, asked from the same port while the first connection lives")
	flags.Parse(args)

	to, err := net.ResolveUDPAddr("udp4", *addr)
	if err != nil {
		return err
	}
	c := &client{to: to, bytes: *bytes, quic: config(quic.Version1), midway: stay}
	c.tickets = make(chan struct{}, 1)
	if *v2 {
		c.quic = config(quic.Version2)
	}
	c.quic.KeepAlivePeriod = keepAlive
	c.tls = &tls.Config{
		InsecureSkipVerify: true,
		NextProtos:         []string{Protocol},
		ClientSessionCache: &cache{tls.NewLRUClientSessionCache(1), c.tickets},
	}
	if *datagrams == 1 {
		c.tls.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	socket, err := openSocket()
	if err != nil {
		return err
	}
	c.transport = &quic.Transport{Conn: socket}
	if *rebind {
		moving := newMoving(socket)
		c.transport = &quic.Transport{Conn: moving}
		c.midway = func(*quic.Conn) error { return moving.move() }
	} else if *migrate {
		c.midway = move
	}
	first, err := c.open(c.transport.Dial, *sni)
	if err != nil {
		return err
	}
	if *besides != "" {
		return c.beside(first, *besides)
	}
	if err := c.end(first); err != nil || !*again {
		return err
	}
	// From the same port, as a client does that reuses its socket.
	second, err := c.open(c.transport.DialEarly, *sni)
	if err != nil {
		return err
	}
	return c.end(second)
}

// beside asks another server from the same port while the first connection lives, and then the first one again.
func (c *client) beside(first *quic.Conn, name string) error {
	second, err := c.open(c.transport.Dial, name)
	if err != nil {
		return err
	}
	if err := c.ask(first); err != nil {
		return err
	}
	first.CloseWithError(0, "")
	return second.CloseWithError(0, "")
}

type dial func(context.Context, net.Addr, *tls.Config, *quic.Config) (*quic.Conn, error)

// open connects and asks once.
func (c *client) open(dial dial, name string) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*idle)
	defer cancel()
	wanted := c.tls.Clone()
	wanted.ServerName = name
	connection, err := dial(ctx, c.to, wanted, c.quic)
	if err != nil {
		return nil, err
	}
	return connection, c.ask(connection)
}

// end awaits a ticket for the next connection: every connection brings one, and nothing else waits for it.
func (c *client) end(connection *quic.Conn) error {
	select {
	case <-c.tickets:
		return connection.CloseWithError(0, "")
	case <-connection.Context().Done():
		return fmt.Errorf("no session ticket came")
	}
}

// ask makes one request, and prints what came of it.
func (c *client) ask(connection *quic.Conn) error {
	name, sum, count, err := c.request(connection)
	if err != nil {
		return err
	}
	<-connection.HandshakeComplete()
	state := connection.ConnectionState()
	version := map[quic.Version]int{quic.Version1: 1, quic.Version2: 2}[state.Version]
	say(map[string]any{
		"server": name, "bytes": count, "sha256": sum, "version": version,
		"postQuantum": state.TLS.CurveID == tls.X25519MLKEM768,
		"resumed":     state.TLS.DidResume, "early": state.Used0RTT,
	})
	return nil
}

// request returns the server's name, and the sum and number of the bytes that came.
func (c *client) request(connection *quic.Conn) (name, sum string, count int64, err error) {
	stream, err := connection.OpenStream()
	if err != nil {
		return
	}
	fmt.Fprintf(stream, "get %d\n", c.bytes)
	stream.Close()
	answer := bufio.NewReader(stream)
	name, err = answer.ReadString('\n')
	if err != nil {
		return
	}
	hash := sha256.New()
	half, err := io.CopyN(hash, answer, int64(c.bytes/2))
	if err != nil {
		return
	}
	if err = c.midway(connection); err != nil {
		return
	}
	rest, err := io.Copy(hash, answer)
	return strings.TrimSpace(name), fmt.Sprintf("%x", hash.Sum(nil)), half + rest, err
}

func stay(*quic.Conn) error { return nil }

// move is what a client does that has found a better network (RFC 9000, section 9): nothing on the new path that anyone
// can see belongs to what was on the old one.
func move(connection *quic.Conn) error {
	socket, err := openSocket()
	if err != nil {
		return err
	}
	path, err := connection.AddPath(&quic.Transport{Conn: socket})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), idle)
	defer cancel()
	if err := path.Probe(ctx); err != nil {
		return err
	}
	return path.Switch()
}
