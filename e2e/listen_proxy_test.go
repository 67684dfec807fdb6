package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// proxyHeader is a PROXY header of version 2 for a client of TCP, with IPv4.
func proxyHeader(client string) string {
	from, to := netip.MustParseAddrPort(client), netip.MustParseAddrPort("198.51.100.1:443")
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11, 0, 12)
	h = append(append(h, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	h = binary.BigEndian.AppendUint16(h, from.Port())
	return string(binary.BigEndian.AppendUint16(h, to.Port()))
}

// From a peer that announces its clients their addresses are believed: in
// logs, by the application, and by webhooks that know their senders by it. A
// header from anybody else is no more than noise.
func TestProxyProtocol(t *testing.T) {
	ca := newAuthority(t)
	files := mount(t, ca.issue(t, time.Hour, "127.0.0.1").files())
	behind := app(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	})
	plain, secure, others := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := serveAt(t, "http://"+plain, fmt.Sprintf(`
listen:
  - {address: "%s", proxy_protocol: [127.0.0.1]}
  - {address: "%s", proxy_protocol: [127.0.0.0/8], tls: {cert: %[4]s/tls.crt, key: %[4]s/tls.key}}
  - {address: "%[3]s", proxy_protocol: [10.0.0.0/8]}
upstream: %[5]s
routes:
  - {path: /clock, generate: {every: 1s}}
  - {path: /hooks, webhook: {verify: {ip: {allow: [192.0.2.7]}}}}
`, plain, secure, others, files.dir, behind))

	// ask says what is given, by TLS if config isn't nil after what comes first.
	ask := func(address, first, request string, config *tls.Config) (status int, body string) {
		t.Helper()
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if config == nil { // at once: after an answer to the first alone there may be nobody to take the rest
			first, request = "", first+request
		}
		if _, err := io.WriteString(conn, first); err != nil {
			t.Fatal(err)
		}
		if config != nil {
			conn = tls.Client(conn, config)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			return 0, err.Error()
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0, err.Error()
		}
		if resp.Header.Get("Content-Type") == "text/event-stream" {
			return resp.StatusCode, "" // Close would wait for an end, which there isn't
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	const (
		version1 = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
		page     = "GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		hook     = "POST /hooks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
		clock    = "GET /clock HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
	)
	trusting := ca.trust()
	trusting.ServerName = "127.0.0.1"
	for _, tt := range []struct {
		address, first, request string
		tls                     *tls.Config
		status                  int
		body                    string
	}{
		{plain, version1, page, nil, 200, "192.0.2.7"},
		{plain, proxyHeader("192.0.2.8:4711"), page, nil, 200, "192.0.2.8"},
		{plain, "PROXY UNKNOWN\r\n", page, nil, 200, "127.0.0.1"},
		{secure, version1, page, trusting, 200, "192.0.2.7"},
		{secure, proxyHeader("192.0.2.8:4711"), page, trusting, 200, "192.0.2.8"},
		{plain, version1, hook, nil, 204, ""},
		{secure, proxyHeader("192.0.2.7:4711"), hook, trusting, 204, ""},
		{plain, proxyHeader("192.0.2.8:4711"), hook, nil, 403, "*"},
		{others, "", page, nil, 200, "127.0.0.1"},
		{others, version1, page, nil, 400, "*"},
		{others, proxyHeader("192.0.2.7:4711"), page, nil, 400, "*"},
		{plain, "", page, nil, 0, "*"},
		{secure, "", page, trusting, 0, "*"},
	} {
		status, body := ask(tt.address, tt.first, tt.request, tt.tls)
		if status != tt.status || tt.body != "*" && body != tt.body {
			t.Errorf("%q, then %.20q: got %d %q, want %d %q", tt.first, tt.request, status, body, tt.status, tt.body)
		}
	}
	if got := s.metric(t, `sidestream_refused_connections_total{reason="proxy_header"}`); got != 2 {
		t.Errorf("got %v connections counted as refused, want 2", got)
	}
	if status, _ := ask(plain, proxyHeader("192.0.2.9:4711"), clock, nil); status != http.StatusOK {
		t.Errorf("a stream: got status %d, want 200", status)
	}
	s.awaitLog(t, "client connected", 1)
	if got := s.logged("client connected")[0]["client"]; got != "192.0.2.9:4711" {
		t.Errorf("got a client %v in the log, want that of the header", got)
	}

	// curl tells its own address.
	if got, code := curl(t, "--haproxy-protocol", s.url+"/page"); code != 0 || got != "127.0.0.1" {
		t.Errorf("curl: got %q and code %d, want 127.0.0.1", got, code)
	}
	if got, code := curl(t, s.url+"/page"); code == 0 || got != "" {
		t.Errorf("curl without a header: got %q and code %d, want no answer", got, code)
	}
	stream := launch(t, "curl", "-sSN", "--haproxy-protocol", "--cacert", caFile(t, ca), "-H", "Accept: text/event-stream", "https://"+secure+"/clock")
	wait(t, "events by curl, TLS and a PROXY header", func() (any, bool) {
		return stream.output.String(), strings.Count(stream.output.String(), "\ndata: ") >= 2
	})
}

func caFile(t *testing.T, a *authority) string {
	t.Helper()
	name := t.TempDir() + "/ca.crt"
	writeFile(t, name, a.pem)
	return name
}

// Who comes while as many of the same address are there as may be is told when
// to come back, and gets in when one of them has left.
func TestConnectionsOfOneAddress(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 1}`)
	s := serve(t, "limits: {connections_per_address: 2, retry: 500ms}\n"+strings.TrimPrefix(plain(n, "50ms"), "\n"))
	first := newClient(t, s.url+"/doc.json")
	leave := first.start(t)
	second := follow(t, s.url+"/doc.json")
	first.awaitMessage(t, `{"v":1}`)
	second.awaitMessage(t, `{"v":1}`)
	third := follow(t, s.url+"/doc.json")
	wait(t, "a connection refused", func() (any, bool) {
		refused := s.metric(t, `sidestream_refused_connections_total{reason="too_many"}`)
		return refused, refused > 0
	})
	wait(t, "its end", func() (any, bool) { return third.conns(), disconnected(third) })
	if c := third.conns()[0]; c.status != http.StatusOK || c.retry < 500*time.Millisecond || c.retry > time.Second {
		t.Errorf("got status %d and retry %v beside two others, want 200 and 500ms to 1s", c.status, c.retry)
	}
	if got := third.events(); len(got) > 0 {
		t.Errorf("got %v beside two others, want nothing", got)
	}
	resp := from(t, "127.0.0.1", http.MethodGet, s.url+"/page", "text/html")
	if got := resp.StatusCode; got != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !resp.Close {
		t.Errorf("got status %d, %v, for a page, want 503 with Retry-After and the end of the connection", got, resp.Header)
	}
	leave()
	third.awaitMessage(t, `{"v":1}`)
	if got := len(second.conns()); got != 1 {
		t.Errorf("got %d connections of one that was there before, want 1", got)
	}
}
