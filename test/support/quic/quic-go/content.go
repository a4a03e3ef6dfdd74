package main

import "io"

// What a download consists of: each byte follows from its place, so that no other order or place looks the same.
type content struct{ at, end int }

func (c *content) Read(into []byte) (int, error) {
	if c.at == c.end {
		return 0, io.EOF
	}
	n := min(len(into), c.end-c.at)
	for i := range n {
		place := c.at + i
		into[i] = byte(place ^ place>>8 ^ place>>16)
	}
	c.at += n
	return n, nil
}
