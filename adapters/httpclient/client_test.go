package httpclient

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"sidestream/adapters/secret"
)

func TestHeaders(t *testing.T) {
	got, server := serve(t, ok)
	c := newClient(t, func(o *Options) {
		o.Headers = map[string]secret.Value{"x-key": secret.Text("configured"), "Accept": secret.Text("text/csv"), "host": secret.Text("legacy.test"), "Cookie": secret.Text("a=b")}
	})
	req := request(t, http.MethodGet, server, nil)
	req.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"test"}}
	resp, _ := do(t, c, req, http.Header{"Cookie": {"c=" + hidden}, "X-Empty": {}})

	want(t, "sent", got.last(t).Header, map[string]string{
		"X-Key": "configured", "Accept": "text/csv", "User-Agent": "test", "Cookie": "c=" + hidden, "Accept-Encoding": "",
	})
	equal(t, "host", got.last(t).Host, "legacy.test")
	want(t, "req, which is the caller's", req.Header, map[string]string{"Accept": "*/*", "X-Key": "", "Cookie": ""})
	want(t, "resp.Request", resp.Request.Header, map[string]string{"User-Agent": "test", "X-Key": "", "Cookie": ""})
	equal(t, "URL", resp.Request.URL.String(), req.URL.String())
}

func TestForwardReplacesAuth(t *testing.T) {
	got, server := serve(t, ok)
	bearer := secret.Text("own")
	c := newClient(t, func(o *Options) { o.Auth.Bearer = &bearer })
	get(t, c, server, http.Header{"Authorization": {"Bearer theirs"}})
	want(t, "with theirs", got.last(t).Header, map[string]string{"Authorization": "Bearer theirs"})
	get(t, c, server, http.Header{"Cookie": {"x"}})
	want(t, "without theirs", got.last(t).Header, map[string]string{"Authorization": "Bearer own", "Cookie": "x"})
}

func TestDescribe(t *testing.T) {
	c := newClient(t, func(o *Options) {
		o.Headers = map[string]secret.Value{"X-Key": secret.Text(hidden), "X-File": {File: "/does/not/exist"}, "User-Agent": secret.Text("me"), "Host": secret.Text("legacy.test"), "Accept-Language": {File: "/does/not/exist"}}
		o.Auth.OAuth2 = &OAuth2{TokenURL: "http://127.0.0.1:1/", ClientID: "app"}
	})
	req := request(t, http.MethodGet, "http://127.0.0.1:1/", nil)
	req.Header.Set("Accept", "application/json")
	want(t, "Describe", c.Describe(req, http.Header{"Cookie": {hidden}, "X-Empty": {}}), map[string]string{
		"X-Key": "(secret)", "X-File": "(secret)", "User-Agent": "me", "Accept-Language": "(secret)", "Host": "legacy.test",
		"Authorization": "Bearer (secret)", "Cookie": "(secret)", "Accept": "application/json", "X-Empty": "",
	})
	want(t, "Describe with theirs", c.Describe(req, http.Header{"Authorization": {hidden}}), map[string]string{"Authorization": "(secret)"})
	want(t, "the request", req.Header, map[string]string{"X-Key": "", "Authorization": ""})
}

// TestMalformedAnswers checks that errors don't quote what a peer has sent.
func TestMalformedAnswers(t *testing.T) {
	for _, answer := range []string{
		"hunter2",
		"HTTP/1.1 hunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: hunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2hunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: hunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nhunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat(hidden, 20_000) + "\r\n\r\n",
		"",
	} {
		fails(t, newClient(t, nil), "http://"+raw(t, answer))
	}
	err := fails(t, newClient(t, nil), "http://"+raw(t, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://%zzhunter2\r\n\r\n"))
	equal(t, "a Location that is no URL", err, ErrElsewhere)
}

// TestMalformedBody has a server say goodbye with a word of its own in the
// middle of a body, as HTTP/2 lets it (RFC 9113, section 6.8).
func TestMalformedBody(t *testing.T) {
	broken := fmt.Errorf(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=%q`, hidden)
	n, err := body{io.NopCloser(iotest.ErrReader(broken))}.Read(make([]byte, 8))
	equal(t, "read", n, 0)
	equal(t, "error", err, errAnswer)

	c := newClient(t, nil)
	resp, err := c.Do(request(t, http.MethodGet, "http://"+raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), nil), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	equal(t, "body", string(got), "short")
	equal(t, "error of a body that is cut short", err, io.ErrUnexpectedEOF)
}

// raw starts a server that gives each connection one answer.
func raw(t *testing.T, answer string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				io.WriteString(conn, answer)
			}
			conn.Close()
		}
	})
	return l.Addr().String()
}

func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	fails(t, newClient(t, nil), "http://"+l.Addr().String(), "refused")
}

// A closer notes that it was closed.
type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error {
	c.closed = true
	return nil
}

func TestBodyIsClosedOnFailure(t *testing.T) {
	for name, edit := range map[string]func(*Options){
		"credentials": func(o *Options) { o.Headers = map[string]secret.Value{"X-Key": {File: "/does/not/exist"}} },
		"TLS":         func(o *Options) { o.TLS.CA = "/does/not/exist" },
	} {
		body := &closer{Reader: strings.NewReader("x")}
		if _, err := newClient(t, edit).Do(request(t, http.MethodPost, "http://127.0.0.1:1/", body), nil, nil); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
		equal(t, name+": body closed", body.closed, true)
	}
}
