package main

import (
	"crypto/rand"

	"github.com/quic-go/quic-go"
)

// Connection IDs that lead to a server (draft-ietf-quic-load-balancers, plaintext algorithm): a byte with the number of
// the configuration and the length of what follows, the server's ID, and a nonce.
type routable []byte

const (
	configuration = 0
	nonceLength   = 6
)

func (id routable) ConnectionIDLen() int { return 1 + len(id) + nonceLength }

func (id routable) GenerateConnectionID() (quic.ConnectionID, error) {
	nonce := make([]byte, nonceLength)
	rand.Read(nonce)
	bytes := append([]byte{configuration<<5 | byte(len(id)+nonceLength)}, id...)
	return quic.ConnectionIDFromBytes(append(bytes, nonce...)), nil
}
