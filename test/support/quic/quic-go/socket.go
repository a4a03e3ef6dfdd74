package main

import (
	"net"
	"sync/atomic"
	"time"
)

func openSocket() (*net.UDPConn, error) {
	return net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
}

// A socket whose port changes when it is told to move, as for a client whose NAT has forgotten it.
type moving struct{ now atomic.Pointer[net.UDPConn] }

func newMoving(first *net.UDPConn) *moving {
	m := &moving{}
	m.now.Store(first)
	return m
}

func (m *moving) move() error {
	next, err := openSocket()
	if err != nil {
		return err
	}
	return m.now.Swap(next).Close()
}

func (m *moving) ReadFrom(into []byte) (int, net.Addr, error) {
	for {
		now := m.now.Load()
		n, from, err := now.ReadFrom(into)
		// A socket that was left behind is no error: the next one is read.
		if err == nil || now == m.now.Load() {
			return n, from, err
		}
	}
}

func (m *moving) WriteTo(bytes []byte, to net.Addr) (int, error) {
	for {
		now := m.now.Load()
		n, err := now.WriteTo(bytes, to)
		if err == nil || now == m.now.Load() {
			return n, err
		}
	}
}

// quic-go says on standard error what it can't enlarge.
func (m *moving) SetReadBuffer(bytes int) error  { return m.now.Load().SetReadBuffer(bytes) }
func (m *moving) SetWriteBuffer(bytes int) error { return m.now.Load().SetWriteBuffer(bytes) }

func (m *moving) Close() error                       { return m.now.Load().Close() }
func (m *moving) LocalAddr() net.Addr                { return m.now.Load().LocalAddr() }
func (m *moving) SetDeadline(t time.Time) error      { return m.now.Load().SetDeadline(t) }
func (m *moving) SetReadDeadline(t time.Time) error  { return m.now.Load().SetReadDeadline(t) }
func (m *moving) SetWriteDeadline(t time.Time) error { return m.now.Load().SetWriteDeadline(t) }
