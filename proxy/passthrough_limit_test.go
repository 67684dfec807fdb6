package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// Requests that pass through are bounded, WebSockets and the like among them,
// and the bound is the table's in service. Who finds no room is told when to
// come back, and the application hears nothing of it.
func TestPassthroughIsBounded(t *testing.T) {
	began, release := make(chan string, 10), make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- r.URL.Path
		switch r.URL.Path {
		case "/slow":
			<-release
		case "/upgrade":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn)
		}
	}))
	defer app.Close()
	table := func(most string) *Config {
		config, err := Parse("test.yaml", []byte("{upstream: "+app.URL+", limits: {passthrough: "+most+", retry: 20s}}"), adapters.NewRegistry(), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	s := New(table("2"), Settings{})
	defer s.transports.closeIdle()
	front := httptest.NewServer(s)
	defer front.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(path, accept string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return &http.Response{}, ""
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp, string(body)
	}
	passing := func(want int64) { // a request passes for a moment longer than its answer takes
		t.Helper()
		for deadline := time.Now().Add(time.Minute); s.passing.have.Load() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("got %d requests that pass through, want %d", s.passing.have.Load(), want)
			}
		}
	}
	passes := func(when string) {
		t.Helper()
		before := s.passing.have.Load()
		resp, _ := ask("/fast", "text/html")
		if resp.StatusCode != http.StatusOK || len(began) != 1 || <-began != "/fast" {
			t.Fatalf("%s: got status %d, want 200 by the application", when, resp.StatusCode)
		}
		passing(before)
	}

	slow := make(chan int, 1)
	go func() {
		resp, _ := ask("/slow", "text/html")
		slow <- resp.StatusCode
	}()
	<-began
	passes("beside one")
	upgraded, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer upgraded.Close()
	_, _ = io.WriteString(upgraded, "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	if line, err := bufio.NewReader(upgraded).ReadString('\n'); !strings.Contains(line, " 101 ") {
		t.Fatalf("got %q (%v), want status 101", line, err)
	}
	<-began

	full := func() {
		t.Helper()
		resp, _ := ask("/fast", "text/html")
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 20 || after > 40 {
			t.Errorf("got status %d and Retry-After %q, want 503 and 20 to 40", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		resp, body := ask("/fast", "text/event-stream")
		if lines := retryLines(body); resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != eventStreamType || len(lines) != 1 || lines[0] < 20_000 || lines[0] > 40_000 {
			t.Errorf("a stream: got status %d, %v and %q, want 200 and a stream with a retry line of 20 to 40 seconds", resp.StatusCode, resp.Header, body)
		}
		if len(began) > 0 {
			t.Errorf("got %s at the application, want nothing", <-began)
		}
	}
	full()
	s.Reload(table("3"))
	passes("after a reload with room for one more")
	s.Reload(table("2"))
	full()

	_ = upgraded.Close()
	passing(1)
	passes("when the upgraded one is gone")
	close(release)
	if got := <-slow; got != http.StatusOK {
		t.Errorf("got status %d for one within the bound, want 200", got)
	}
}
