package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// A stream belongs to one principal, and is shared by all of its clients.
func TestPrincipals(t *testing.T) {
	inWorld(t, `routes: [{path: /a, api: {forward: [Authorization, X-User]}, live_marker: false}]`, func(w *world) {
		ann, ben := w.connect("/a", "Authorization: ann"), w.connect("/a", "Authorization: ben")
		also := w.connect("/a", "authorization: ann", "Accept-Language: de")
		nobody := w.connect("/a")
		ann.wants(`v0 {"Authorization":["ann"]}`)
		also.wants(`v0 {"Authorization":["ann"]}`)
		ben.wants(`v0 {"Authorization":["ben"]}`)
		nobody.wants(`v0 {}`)
		if got, want := w.api.sources(), 3; got != want {
			t.Errorf("sources: got %d, want %d, one for each principal", got, want)
		}
		// An id is of no use with the credentials of somebody else.
		same := w.connect("/a", "Authorization: ben", "Last-Event-ID: v0")
		w.api.tick()
		same.wants(`v1 {"Authorization":["ben"]}`)
		if got, want := ann.resp.Header.Get("Vary"), "Accept, Authorization, X-User"; got != want {
			t.Errorf("Vary: got %q, want %q", got, want)
		}
		for _, c := range []*connection{ann, ben, also, nobody, same} {
			c.drop()
		}
	})
}

// Credentials are the headers that are forwarded, and no others.
func TestPrincipalIsUnambiguous(t *testing.T) {
	s := New(passing(t, "http://app"), Settings{})
	p := &endpoint{server: s, can: adapters.Capabilities{Forward: []string{"A", "B"}}}
	seen := map[string]int{}
	for i, h := range []http.Header{
		{},
		{"A": {""}},
		{"A": {"", ""}},
		{"B": {""}},
		{"A": {""}, "B": {""}},
		{"A": {"a"}},
		{"B": {"a"}},
		{"A": {"a"}, "B": {"a"}},
		{"A": {"a", "a"}},
		{"A": {"a", "b"}},
		{"A": {"b", "a"}},
		{"A": {"a, b"}},
		{"A": {"a,b"}},
		{"A": {"ab"}},
		{"A": {"a"}, "B": {"b"}},
		{"A": {"a", "B"}},
		{"A": {"a"}, "B": {"B"}},
		{"A": {"a", "B", "b"}},
		{"A": {"aB"}, "B": {"b"}},
		{"A": {"ab", "c"}},
		{"A": {"a", "bc"}},
		{"A": {"a\x01B\x01\x01b"}},
		{"A": {strings.Repeat("a", 127)}},
		{"A": {strings.Repeat("a", 128)}},
		{"A": {strings.Repeat("a", 300)}},
	} {
		id := p.principal(h)
		if before, known := seen[id]; known {
			t.Errorf("headers %d and %d are the same principal, want two", before, i)
		}
		seen[id] = i
		h.Set("C", "not forwarded")
		if p.principal(h.Clone()) != id {
			t.Errorf("headers %d: a header that isn't forwarded makes a difference", i)
		}
	}
	if other := (&endpoint{server: New(passing(t, "http://app"), Settings{}), can: p.can}); other.principal(nil) == p.principal(nil) {
		t.Error("two processes have the same hash, want each its own")
	}
}

// RFC 9113 section 8.2.3: HTTP/2 may carry each cookie in a field of its own.
func TestCookiesOfHTTP2(t *testing.T) {
	inWorld(t, `routes: [{path: /a, api: {forward: [Cookie]}, live_marker: false}]`, func(w *world) {
		defer w.connect("/a", "Cookie: a=1; b=2").drop()
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{DialContext: w.public.dial, Protocols: &protocols}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://example.com/a", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", "a=1; b=2") // which net/http splits
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		c := &connection{w: w, resp: resp, done: make(chan struct{})}
		go c.read()
		c.wants(`v0 {"Cookie":["a=1; b=2"]}`)
		if got, want := w.metric(`sidestream_streams{route="/a"}`), "1"; resp.ProtoMajor != 2 || got != want {
			t.Errorf("over %s: got %s streams, want %s", resp.Proto, got, want)
		}
		c.drop()
	})
}

// max_principals turns away those who come last, and pushes out nobody.
func TestTooManyPrincipals(t *testing.T) {
	inWorld(t, `routes: [{path: "/a/{x}", api: {forward: [Authorization]}, max_principals: 2, linger: 1m, live_marker: false}]`, func(w *world) {
		first, second := w.connect("/a/1", "Authorization: ann"), w.connect("/a/1", "Authorization: ben")
		for i := range 10 {
			turnedAway(t, w.connect("/a/1", fmt.Sprint("Authorization: made up ", i)), 15000, 30000)
		}
		// Who is here already may have more.
		more := w.connect("/a/2", "Authorization: ann")
		if more.ended() {
			t.Error("another stream of the same principal was refused")
		}
		// Made-up credentials that are never confirmed leave nothing behind.
		more.drop()
		first.drop()
		after(time.Second)
		second.drop()
		w.api.answer("made up", unanswered)
		answer := w.later("/a/1", "Authorization: made up") // takes the place of ann, who is gone for longest
		if got, want := w.metric(`sidestream_streams{route="/a/{x}"}`), "2"; got != want {
			t.Errorf("streams: got %s, want %s: those of ann, who left first, are closed", got, want)
		}
		after(verdictTime)
		_ = (<-answer).Body.Close()
		synctest.Wait()
		if got, want := w.metric(`sidestream_streams{route="/a/{x}"}`), "1"; got != want {
			t.Errorf("streams: got %s, want %s", got, want)
		}
		back := w.connect("/a/1", "Authorization: ann")
		if back.ended() {
			t.Error("there is room again, but ann was turned away")
		}
		back.drop()
	})
}

// Nothing that operators see holds a credential.
func TestCredentialsAreNotShown(t *testing.T) {
	const secret = "hunter2-s3cr3t"
	inWorld(t, guarded, func(w *world) {
		for _, status := range []int{200, 503, 401} {
			w.api.answer(secret, status)
			synctest.Wait()
			resp := w.get("/a", "Authorization: "+secret)
			synctest.Wait()
			for _, page := range []string{"/readyz", "/streams", "/metrics"} {
				if _, body := w.adminGet(page); strings.Contains(body, secret) {
					t.Errorf("%s holds a credential:\n%s", page, body)
				}
			}
			_ = resp.Body.Close()
			after(time.Minute)
		}
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds a credential:\n%s", w.log)
		}
		if len(w.server.table.Load().endpoints[0].principals) > 0 {
			t.Error("principals are remembered that have no streams")
		}
	})
}
