package e2e

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An HTTP/2 client that opens all windows and then never reads holds its
// streams no longer than stall_timeout: their own deadlines are of no use
// while nothing leaves the connection.
func TestHTTP2ClientThatNeverReads(t *testing.T) {
	s := serve(t, `
limits: {stall_timeout: 1s}
routes:
  - path: /flood
    history: {events: 16}
    slow: skip
    write_timeout: 1s
    generate: {every: 1ms, data: "`+strings.Repeat("x", 10_000)+`"}
`)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&out, nil)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
	must(f.WriteWindowUpdate(0, 1<<31-1-65535))
	const streams = 5
	for i := range uint32(streams) {
		var headers bytes.Buffer
		enc := hpack.NewEncoder(&headers)
		for _, h := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/flood"}, {"accept", "text/event-stream"}} {
			must(enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}))
		}
		must(f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: headers.Bytes(), EndStream: true, EndHeaders: true}))
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "client connected", streams)
	s.awaitClients(t, "/flood", 0)
}
