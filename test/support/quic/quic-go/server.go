package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

type server struct {
	name  string
	pages http3.Server
}

func serve(args []string) error {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	name := flags.String("name", "", "what it calls itself in each answer")
	cert := flags.String("cert", "", "certificate, PEM")
	key := flags.String("key", "", "its key, PEM")
	retry := flags.Bool("retry", false, "has every client prove its address by a Retry first")
	serverID := flags.String("server-id", "", "hex: its connection IDs say that they are of this server")
	flags.Parse(args)

	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	socket, err := net.ListenPacket("udp4", *listen)
	if err != nil {
		return err
	}
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(from net.Addr) bool {
		if *retry {
			say(map[string]any{"event": "retry", "from": from.String()})
		}
		return *retry
	}}
	if *serverID != "" {
		bytes, err := hex.DecodeString(*serverID)
		if err != nil {
			return err
		}
		transport.ConnectionIDGenerator = routable(bytes)
	}
	listener, err := transport.ListenEarly(&tls.Config{
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{Protocol, http3.NextProtoH3},
	}, config(quic.Version1, quic.Version2))
	if err != nil {
		return err
	}
	s := &server{name: *name}
	s.pages.Handler = s.handler()
	say(map[string]any{"event": "listening", "port": socket.LocalAddr().(*net.UDPAddr).Port})
	for {
		connection, err := listener.Accept(context.Background())
		if err != nil {
			return err
		}
		go s.connection(connection)
	}
}

// connection tells at both ends of its life where the client is: for whoever stands behind a gateway, that stays.
func (s *server) connection(connection *quic.Conn) {
	state := connection.ConnectionState()
	say(map[string]any{
		"event": "accepted", "from": connection.RemoteAddr().String(), "sni": state.TLS.ServerName,
		"alpn": state.TLS.NegotiatedProtocol, "early": state.Used0RTT,
	})
	if state.TLS.NegotiatedProtocol == http3.NextProtoH3 {
		s.pages.ServeQUICConn(connection)
	} else {
		s.streams(connection)
	}
	<-connection.Context().Done()
	say(map[string]any{"event": "closed", "from": connection.RemoteAddr().String()})
}

func (s *server) streams(connection *quic.Conn) {
	for {
		stream, err := connection.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go func() {
			defer stream.Close()
			if err := s.answer(stream); err != nil && !errors.Is(err, net.ErrClosed) {
				fmt.Fprintln(stream, err)
			}
		}()
	}
}

func (s *server) answer(stream *quic.Stream) error {
	request, err := bufio.NewReader(stream).ReadString('\n')
	if err != nil {
		return err
	}
	count, isGet := strings.CutPrefix(strings.TrimSpace(request), "get ")
	bytes, err := strconv.Atoi(count)
	if !isGet || err != nil || bytes < 0 {
		return fmt.Errorf("no request: %q", request)
	}
	if _, err := fmt.Fprintln(stream, s.name); err != nil {
		return err
	}
	_, err = io.Copy(stream, &content{end: bytes})
	return err
}

// A page whose script asks for the URLs behind `?ask=`, one after the other, and puts the answers into the title.
const page = `<!doctype html><title>not asked yet</title><script>
const ask = (url) => {
	const request = new XMLHttpRequest();
	request.open("GET", url, false);
	request.send();
	return request.responseText;
};
document.title = new URLSearchParams(location.search).getAll("ask").map(ask).join("; ");
</script>`

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		fmt.Fprintf(w, "%s over %s", s.name, r.Proto)
	})
	return mux
}
