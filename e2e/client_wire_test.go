package e2e

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// overSocket is a transport with a socket of its own for each request, and no
// goroutine.
func overSocket(req *http.Request) (*http.Response, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(req.Context(), "tcp", req.URL.Host)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(req.Context(), func() { _ = conn.Close() })
	hangUp := func() {
		stop()
		_ = conn.Close()
	}
	if err := req.Write(conn); err != nil {
		hangUp()
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		hangUp()
		return nil, err
	}
	resp.Body = &socketBody{resp.Body, hangUp}
	return resp, nil
}

type socketBody struct {
	io.ReadCloser
	hangUp func()
}

// Close doesn't read what is left of the body, of which there is no end.
func (b *socketBody) Close() error {
	b.hangUp()
	return nil
}

// gunzip decodes what a proxy has compressed, as far as it has come.
type gunzip struct {
	from io.Reader
	z    *gzip.Reader // nil until something is read
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		if g.z, err = gzip.NewReader(g.from); err != nil {
			return 0, err
		}
	}
	return g.z.Read(p)
}

// commentReader finds the comments of a stream, which no decoder tells of.
type commentReader struct {
	from   io.Reader
	found  func()
	inLine bool // what was read ended within a line
}

func (c *commentReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	for _, b := range p[:n] {
		if b == ':' && !c.inLine {
			c.found()
		}
		c.inLine = b != '\n'
	}
	return n, err
}
