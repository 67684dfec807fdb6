package e2e

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// WebSocket connections pass, with messages of any size and the way in which
// they are closed.
func TestPassThroughWebSocket(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"echo"}})
		if err != nil {
			return
		}
		c.SetReadLimit(-1)
		for {
			typ, data, err := c.Read(r.Context())
			switch {
			case err != nil:
				return
			case string(data) == "bye":
				_ = c.Close(4001, "bye")
				return
			}
			if err := c.Write(r.Context(), typ, data); err != nil {
				return
			}
		}
	}
	got := equal(t, h, func(url string) string {
		c, resp, err := websocket.Dial(t.Context(), url+"/socket?x=1", &websocket.DialOptions{Subprotocols: []string{"echo"}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(-1)
		outcome := sha256.New()
		for i, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 4 << 20} {
			typ, data := websocket.MessageText, []byte(strings.Repeat("é", size/2))
			if i%2 == 1 {
				typ, data = websocket.MessageBinary, make([]byte, size)
				_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(data)
			}
			if err := c.Write(t.Context(), typ, data); err != nil {
				t.Fatal(err)
			}
			back, echo, err := c.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if back != typ || string(echo) != string(data) {
				t.Errorf("got a message of type %v and %d bytes back, want the one sent, type %v and %d bytes", back, len(echo), typ, len(data))
			}
			_, _ = outcome.Write(echo)
		}
		if err := c.Write(t.Context(), websocket.MessageText, []byte("bye")); err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Read(t.Context())
		return fmt.Sprintln(resp.StatusCode, c.Subprotocol(), websocket.CloseStatus(err), hex.EncodeToString(outcome.Sum(nil)))
	})
	if !strings.HasPrefix(got, "101 echo ") || !strings.Contains(got, "StatusCode(4001)") {
		t.Errorf("got %s, want 101, the subprotocol, and the application's close code", got)
	}
}

// 64 MiB in each direction pass unchanged, without being kept in memory.
func TestPassThroughLargeBodies(t *testing.T) {
	const size = 64 << 20
	content := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), size) }
	direct := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			sum := sha256.New()
			n, err := io.Copy(sum, r.Body)
			_, _ = fmt.Fprintf(w, "%d %v %x", n, err, sum.Sum(nil))
			return
		}
		_, _ = io.Copy(w, content())
	})
	s := sidecar(t, direct)
	before := s.memory(t)
	sum := sha256.New()
	_, _ = io.Copy(sum, content())
	want := fmt.Sprintf("%d <nil> %x", size, sum.Sum(nil))

	transport := &http.Transport{DisableKeepAlives: true}
	for _, length := range []int64{size, -1} { // with a length, and chunked
		req := request(t, http.MethodPost, s.url+"/up")
		req.Body, req.ContentLength = io.NopCloser(content()), length
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("upload: the application got %s (%v), want %s", got, err, want)
		}
	}

	resp, err := transport.RoundTrip(request(t, http.MethodGet, s.url+"/down"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum.Reset()
	n, err := io.Copy(sum, resp.Body)
	if got := fmt.Sprintf("%d %v %x", n, err, sum.Sum(nil)); got != want {
		t.Errorf("download: got %s, want %s", got, want)
	}
	s.grown(t, before, 40<<20)
}

// What the application sends arrives when it sends it: the next chunk is
// released only when the one before has arrived. The same holds for what the
// client sends, while the application answers.
func TestPassThroughChunkByChunk(t *testing.T) {
	const chunks = 20
	release := make(chan struct{})
	direct := app(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		if r.Method == http.MethodPost { // echo, line by line
			in := bufio.NewReader(r.Body)
			for line, err := in.ReadString('\n'); err == nil; line, err = in.ReadString('\n') {
				_, _ = io.WriteString(w, line)
				_ = control.Flush()
			}
			return
		}
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", strconv.Itoa(10*len("0\n")+10*len("10\n")))
		}
		for i := range chunks {
			_, _ = fmt.Fprintln(w, i)
			_ = control.Flush()
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
	})
	s := sidecar(t, direct)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		for _, path := range []string{"/chunked", "/sized"} {
			t.Run(path[1:]+" response over "+protocol, func(t *testing.T) {
				resp, err := transportFor(t, protocol).RoundTrip(request(t, http.MethodGet, s.url+path))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				in := bufio.NewReader(resp.Body)
				for i := range chunks {
					line, err := in.ReadString('\n')
					if want := fmt.Sprintln(i); err != nil || line != want {
						t.Fatalf("got %q (%v), want %q", line, err, want)
					}
					select {
					case release <- struct{}{}:
					case <-resp.Request.Context().Done():
						t.Fatal("got no handler to go on, want one")
					}
				}
			})
		}
		t.Run("both ways over "+protocol, func(t *testing.T) {
			r, w := io.Pipe()
			defer w.Close()
			req := request(t, http.MethodPost, s.url)
			req.Body = r
			req.ContentLength = -1
			go func() { _, _ = io.WriteString(w, "0\n") }()
			resp, err := transportFor(t, protocol).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			in := bufio.NewReader(resp.Body)
			for i := range chunks {
				line, err := in.ReadString('\n')
				if want := fmt.Sprintln(i); err != nil || line != want {
					t.Fatalf("got %q (%v), want %q", line, err, want)
				}
				if _, err := fmt.Fprintln(w, i+1); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Trailers pass in both directions, whichever protocol the client speaks.
func TestPassThroughTrailers(t *testing.T) {
	direct := app(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", "sum of "+r.Trailer.Get("X-Request-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "not announced")
	})
	s := sidecar(t, direct)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		for name, url := range map[string]string{"directly": direct, "sidecar": s.url} {
			if name == "directly" && protocol == "HTTP/2" {
				continue // the application doesn't speak it
			}
			t.Run(protocol+" "+name, func(t *testing.T) {
				req := request(t, http.MethodPost, url)
				req.Body, req.ContentLength = io.NopCloser(strings.NewReader("body")), -1
				req.Trailer = http.Header{"X-Request-Sum": {"42"}}
				resp, err := transportFor(t, protocol).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
					t.Errorf("got body %q (%v), want %q", body, err, "body")
				}
				if got, want := resp.Trailer.Get("X-Sum"), "sum of 42"; got != want {
					t.Errorf("got trailer X-Sum %q, want %q", got, want)
				}
				if got, want := resp.Trailer.Get("X-Late"), "not announced"; got != want {
					t.Errorf("got trailer X-Late %q, want %q", got, want)
				}
			})
		}
	}
}

// A client that gives up is noticed by the application, before and while it
// answers.
func TestPassThroughAbort(t *testing.T) {
	began, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	direct := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/answers" {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		}
		began <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	s := sidecar(t, direct)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		for _, path := range []string{"/answers", "/waits"} {
			t.Run(protocol+path, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				transport, req := transportFor(t, protocol), request(t, http.MethodGet, s.url+path).WithContext(ctx)
				finished := make(chan struct{})
				go func() {
					defer close(finished)
					resp, err := transport.RoundTrip(req)
					if err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
				}()
				<-began
				cancel()
				wait(t, "the application to notice", func() (any, bool) {
					select {
					case <-gone:
						return nil, true
					default:
						return "a request still under way", false
					}
				})
				<-finished
			})
		}
	}
}

// request returns a request without a body that is given up, with what is
// read of its answer, when patience is at its end.
func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// transportFor returns a transport for HTTP/1.1 or, in cleartext and without
// an upgrade, HTTP/2, which ends with the test.
func transportFor(t *testing.T, protocol string) *http.Transport {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(protocol == "HTTP/1.1")
	protocols.SetUnencryptedHTTP2(protocol == "HTTP/2")
	transport := &http.Transport{Protocols: &protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
