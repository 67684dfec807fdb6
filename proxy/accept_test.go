package proxy

import (
	"net/http"
	"net/url"
	"testing"
)

func TestNegotiation(t *testing.T) {
	for _, tt := range []struct {
		accept []string
		shared bool // a stream, where the application has the same path
		alone  bool // a stream, where nothing is behind
	}{
		{nil, false, true},
		{[]string{"text/event-stream"}, true, true},
		{[]string{"text/event-stream, */*"}, true, true},
		{[]string{"*/*"}, false, true},
		{[]string{"text/*"}, false, true},
		{[]string{"application/json"}, false, false},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, false, true},
		{[]string{"application/json, text/event-stream"}, true, true},
		{[]string{"application/json;q=0.5, text/event-stream"}, true, true},
		{[]string{"application/json, text/event-stream;q=0.5"}, false, true},
		{[]string{"text/event-stream;q=0.5, */*"}, false, true},
		{[]string{"text/event-stream;q=0"}, false, false},
		{[]string{"text/event-stream;q=0, */*"}, false, false},
		{[]string{"text/event-stream;q=0.0"}, false, false},
		{[]string{"application/json", "TEXT/Event-Stream"}, true, true},
		{[]string{"text/event-stream; charset=utf-8"}, true, true},
		{[]string{"text/event-stream;q=x"}, false, true},
		{[]string{"text/event-stream;q=7"}, false, true},
		{[]string{"nonsense"}, false, false},
		{[]string{""}, false, true},
	} {
		h := http.Header{"Accept": tt.accept}
		if tt.accept == nil {
			h = http.Header{}
		}
		if got := wantsStream(h); got != tt.shared {
			t.Errorf("%q on a shared path: got %v, want %v", tt.accept, got, tt.shared)
		}
		if got := canTakeStream(h); got != tt.alone {
			t.Errorf("%q with nothing behind: got %v, want %v", tt.accept, got, tt.alone)
		}
	}
}

func TestNotAcceptable(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}]`, func(w *world) {
		resp := w.get("/p", "Accept: application/json")
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotAcceptable || resp.Header.Get("Vary") != "Accept" {
			t.Errorf("got status %d, Vary %q; want 406, Accept", resp.StatusCode, resp.Header.Get("Vary"))
		}
	})
}

func TestLastEventID(t *testing.T) {
	for _, tt := range []struct {
		header, query, want string
	}{
		{"", "", ""},
		{"a", "", "a"},
		{"a", "lastEventId=b", "a"},
		{"", "lastEventId=b", "b"},
		{"", "last-event-id=b", "b"},
		{"", "last_event_id=b", "b"},
		{"", "lasteventid=b", ""},
	} {
		h := http.Header{}
		if tt.header != "" {
			h.Set("Last-Event-ID", tt.header)
		}
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := lastEventID(h, q); got != tt.want {
			t.Errorf("header %q, query %q: got %q, want %q", tt.header, tt.query, got, tt.want)
		}
	}
}
