package sse

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// TestExplain: what would be asked, with secrets masked, and what comes of it.
func TestExplain(t *testing.T) {
	asked := 0
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Set-Cookie", "hunter2")
		begin(w, "retry: 1000\nid: 1\nevent: a\ndata: x\n\ndata: y\n\nevent: stream.other\ndata: z\n\n")
		<-r.Context().Done()
	})
	s := open(t, upstream, adapters.Env{Credentials: http.Header{"Cookie": {"hunter2"}}}, func(o *Options) {
		o.URL, o.Forward = "/events?api_key=hunter2&a=1", []string{"Cookie"}
		o.Client.Headers = map[string]secret.Value{"X-Key": secret.Text("hunter2")}
	})
	before, err := s.Explain(t.Context(), false)
	if err != nil || asked > 0 || len(before.Events) > 0 {
		t.Errorf("got %v, %d requests, want none", err, asked)
	}
	after, err := s.Explain(t.Context(), true)
	if err != nil || asked != 1 {
		t.Errorf("got %v after %d requests, want one", err, asked)
	}
	if got, want := words(after.Events), []string{"|a|x", "||y"}; !slices.Equal(got, want) {
		t.Errorf("got events %q, want %q", got, want)
	}
	lines := []string{}
	for _, step := range slices.Concat(before.Steps, after.Steps) {
		lines = append(lines, step.Name+": "+step.Text)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"one for all clients, whose events are numbered here", "GET " + upstream.String() + "/events?api_key=(secret)&a=1\nAccept: text/event-stream\n",
		"Cookie: (secret)", "X-Key: (secret)", "HTTP/1.1 200 OK\n", "Content-Type: text/event-stream; charset=utf-8",
		`2 within a moment, all with ids, 1 that can't be delivered; if the server resumes`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got\n%s\nwant %q in it", text, want)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("got\n%s\nwant no secret in it", text)
	}
}

// TestExplainFails: a failure comes with the steps up to it; that a server has
// nothing to say is none.
func TestExplainFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openScript(adapters.Env{}, func(*http.Request) (*http.Response, error) { return reply(404, http.NoBody), nil }, nil)
		x, err := s.Explain(t.Context(), true)
		if adapters.Reason(err) != "upstream answered 404" || len(x.Steps) != 4 || !strings.Contains(x.Steps[2].Text, "404 Not Found") {
			t.Errorf("got %+v, %v, want the answer shown", x.Steps, err)
		}

		s.client = script(func(r *http.Request) (*http.Response, error) { return held(r, ":\n"), nil })
		began := time.Now()
		if x, err = s.Explain(t.Context(), true); err != nil || time.Since(began) != maxListening || x.Steps[3].Text != "none within a moment" {
			t.Errorf("got %+v, %v after %v, want no events within %v", x.Steps, err, time.Since(began), maxListening)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = s.Explain(ctx, true); err == nil {
			t.Error("got no error from an explanation that was cut short, want one")
		}
	})
}
