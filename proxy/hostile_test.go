package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
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
		s.ServeHTTP(rec, req)
		if rec.Code != want || want == http.StatusOK && rec.Body.String() != "retry: 15000\n" {
			t.Errorf("%s: got %d %q, want %d", accept, rec.Code, rec.Body, want)
		}
	}
}
