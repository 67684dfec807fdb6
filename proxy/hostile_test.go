package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// An event can't have the id by which clients know that a stream has ended.
func TestNoEventHasTheIDOfTheEnd(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, event: {id: .id, key: .key}}]`, func(w *world) {
		c := w.connect("/p")
		defer c.drop()
		w.publish("p", `{"id":"-1"}`, `{"id":"2","key":"`+strings.Repeat("k", 1025)+`"}`, `{"id":"3"}`)
		c.wants(` stream.gap …`, ` stream.gap …`, `3 {"id":"3"}`)
	})
}

// A stream that only lingers makes room for a client that is there.
func TestLingeringStreamsMakeRoom(t *testing.T) {
	inWorld(t, `routes: [{path: "/{x}", log: {name: p}, max_streams: 2, linger: 1h}]`, func(w *world) {
		held := w.connect("/a")
		defer held.drop()
		for _, path := range []string{"/b", "/c", "/d"} {
			c := w.connect(path)
			if c.ended() {
				t.Fatalf("%s: turned away, although another stream has no clients", path)
			}
			c.drop()
			after(time.Second)
		}
		// A request that is refused anyway takes nothing from anybody.
		resp := w.get("/a%2Fb")
		resp.Body.Close()
		if got := w.metric(`sidestream_streams{route="/{x}"}`); got != "2" {
			t.Errorf("streams: got %s, want 2", got)
		}
		second := w.connect("/e")
		defer second.drop()
		turnedAway(t, w.connect("/f"), 15000, 30000)
	})
}

func TestQueryThatCannotBeParsed(t *testing.T) {
	inWorld(t, `routes: [{path: /p, query: [user], log: {name: p}}]`, func(w *world) {
		for _, query := range []string{"user=%zz", "user=a;b=c"} {
			resp := w.get("/p?" + query)
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: got status %d, want 400: it is not the stream of no user", query, resp.StatusCode)
			}
		}
	})
}

// R2, although net/http would rather read the body of a request first.
func TestBodyThatNeverComes(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, max_age: 10s}]`, func(w *world) {
		conn, err := w.public.dial(w.t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		received := make(chan string, 1)
		go func() {
			_, _ = io.WriteString(conn, "GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
			all, _ := io.ReadAll(conn)
			received <- string(all)
		}()
		after(time.Second)
		if got := w.metric(`sidestream_clients{route="/p"}`); got != "1" {
			t.Errorf("clients: got %s, want 1", got)
		}
		after(time.Minute)
		select {
		case got := <-received:
			if !strings.Contains(got, "retry: 3000") {
				t.Errorf("got %q, want the stream", got)
			}
		default:
			t.Error("the connection is open after max_age")
		}
	})
}

// A request whose time is over, since the server has to end, gets no answer that
// looks like one of the application.
func TestApplicationTooSlow(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer app.Close()
	s := New(passing(t, app.URL), Settings{})
	defer s.transports.closeIdle()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	defer func() {
		got, _ := recover().(error)
		if !errors.Is(got, http.ErrAbortHandler) || len(rec.Result().Header) > 0 {
			t.Errorf("got %v and %v, want the connection aborted without an answer", got, rec.Result())
		}
	}()
	s.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "/pay", strings.NewReader("1")))
}

// A trailer says nothing of where a request comes from.
func TestForwardedTrailers(t *testing.T) {
	got := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r.Trailer
	}))
	defer app.Close()
	s := New(passing(t, app.URL), Settings{})
	defer s.transports.closeIdle()
	front := httptest.NewServer(s)
	defer front.Close()
	for _, declared := range []string{"X-Sum, X-Real-Ip", "X-Sum, X-Forwarded-For"} {
		conn, err := net.Dial("tcp", front.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: "+declared+
			"\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nX-Real-Ip: 8.8.8.8\r\nX-Forwarded-For: 8.8.8.8\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		trailer := <-got
		for name, values := range trailer {
			if name != "X-Sum" && len(values) > 0 {
				t.Errorf("declared %s: got the trailer %s: %q, want it gone", declared, name, values)
			}
		}
		if got := trailer.Get("X-Sum"); got != "1" {
			t.Errorf("declared %s: got X-Sum %q, want 1", declared, got)
		}
	}
}

// The application's own streams survive its restart as they would without a
// proxy; what isn't a stream gets the error.
func TestApplicationDown(t *testing.T) {
	app := httptest.NewServer(http.NotFoundHandler())
	app.Close()
	s := New(passing(t, app.URL), Settings{})
	for accept, want := range map[string]int{eventStreamType: http.StatusOK, "text/html": http.StatusBadGateway} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodGet, "/own/events", http.NoBody)
		req.Header.Set("Accept", accept)
		req.Header.Set("Origin", page)
		s.ServeHTTP(rec, req)
		h := rec.Result().Header
		if got := h.Get("Access-Control-Allow-Origin"); want == http.StatusOK && (got != page || !slices.Contains(h["Vary"], "Origin")) {
			t.Errorf("%s: got a stream for %q, Vary %q, want every page to hear when to come back", accept, got, h["Vary"])
		}
		if got := h.Get("Connection"); want == http.StatusBadGateway && got != "close" {
			t.Errorf("%s: got Connection %q, want close: another replica may have its application", accept, got)
		}
		if rec.Code != want || want == http.StatusOK && rec.Body.String() != "retry: 15000\n" {
			t.Errorf("%s: got %d %q, want %d", accept, rec.Code, rec.Body, want)
		}
	}
}
