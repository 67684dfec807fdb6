package sse

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"sidestream/adapters"
)

// TestResume: what a source does when a response ends or breaks off.
func TestResume(t *testing.T) {
	ends := func(text string) io.Reader { return strings.NewReader(text) }
	breaks := func(text string) io.Reader {
		return io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	for _, tt := range []struct {
		name    string
		ids     IDs
		first   io.Reader
		asked   string // for after which id, at last
		want    []string
		failure string // of the first Run
	}{
		{"ends", idsPass, ends("id: 1\ndata: a\n\n"), "1", []string{"1||a", "2||b"}, ""},
		{"ends behind an id alone", idsPass, ends("id: 1\ndata: a\n\nid: 9\n\n"), "9", []string{"1||a", "2||b"}, ""},
		{"ends without ids", idsPass, ends("data: a\n\n"), "", []string{"=.*||a", "gap unknown", "2||b"}, ""},
		{"ends, ids taken back", idsPass, ends("id: 1\ndata: a\n\nid\ndata: b\n\n"), "", []string{"1||a", "=.*||b", "gap unknown", "2||b"}, ""},
		{"ends, numbered", idsNumber, ends("id: 1\ndata: a\n\n"), "1", []string{"||a", "gap unknown", "||b"}, ""},
		{"ends without ids, numbered", idsNumber, ends("data: a\n\n"), "", []string{"||a", "gap unknown", "||b"}, ""},

		{"breaks", idsPass, breaks("id: 1\ndata: a\n\n"), "1", []string{"1||a", "2||b"}, "upstream broke off its stream"},
		{"breaks without ids", idsPass, breaks("data: a\n\n"), "", []string{"=.*||a", "lost unknown", "2||b"}, "upstream broke off its stream"},
		{"breaks before the first event", idsPass, breaks(":\n"), "", []string{"gap unknown", "2||b"}, "upstream broke off its stream"},
		{"empty", idsPass, ends(""), "", []string{"gap unknown", "2||b"}, "upstream closed the stream at once"},
		{"empty, replay", idsReplay, ends(""), "", []string{"gap unknown", "2||b"}, "upstream closed the stream at once"},
		// The supervisor announces the gap.
		{"breaks, numbered", idsNumber, breaks("id: 1\ndata: a\n\n"), "1", []string{"||a", "||b"}, "upstream broke off its stream"},
		{"empty, numbered", idsNumber, ends(""), "", []string{"||b"}, "upstream closed the stream at once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := []string{}
				s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
					asked = append(asked, r.Header.Get("Last-Event-ID"))
					if len(asked) == 1 {
						return reply(http.StatusOK, tt.first), nil
					}
					return held(r, "id: 2\ndata: b\n\n"), nil
				}, func(o *Options) { o.IDs = tt.ids })
				got, failures := supervised(t, s, "b")
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if want := []string{"", tt.asked}; !slices.Equal(asked, want) {
					t.Errorf("got requests after %q, want %q", asked, want)
				}
				if strings.Join(failures, " ") != tt.failure {
					t.Errorf("got failures %q, want %q", failures, tt.failure)
				}
			})
		})
	}
}

// supervised runs s as the supervisor does, until the last event has the given
// payload. Notices that all is well are left out, and positions of the
// source's own masked.
func supervised(t *testing.T, s *source, last string) (got, failures []string) {
	t.Helper()
	var reached adapters.Position
	for range 5 {
		err := s.Run(t.Context(), reached, func(e adapters.Event) error {
			if e.Position != "" {
				reached = e.Position
			}
			if e.Live {
				return nil
			}
			if strings.HasPrefix(string(e.Position), unplaced) {
				e.Position = unplaced + "*"
			}
			got = append(got, words([]adapters.Event{e})...)
			if e.Gap == nil && string(e.Data) == last && s.Report().Last == "200" && e.Position != unplaced+"*" {
				return errEnoughOf
			}
			return nil
		})
		var lost *adapters.PositionLostError
		switch {
		case errors.Is(err, errEnoughOf):
			return got, failures
		case errors.As(err, &lost):
			got = append(got, "lost "+string(lost.Reason))
			reached = lost.Resume
		case err != nil:
			failures = append(failures, adapters.Reason(err))
		}
	}
	t.Fatalf("got %q, and failures %q", got, failures)
	return nil, nil
}

// TestBeginning: what a source can't know is lost, and goes on from the
// beginning, where it is lost again if nothing has come of that.
func TestBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
			if id := r.Header.Get("Last-Event-ID"); id != "" {
				t.Errorf("got a request after %q, want none", id)
			}
			return reply(http.StatusOK, io.MultiReader(strings.NewReader(":\n"), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
		}, func(o *Options) { o.IDs = idsReplay })
		for _, after := range []adapters.Position{"=.x.1", "==", "=MQ=", "=M R", "a b", "~", "=LTEg\n", adapters.Position(strings.Repeat("x", adapters.MaxPosition+1))} {
			var lost *adapters.PositionLostError
			if _, err := all(t, s, after); !errors.As(err, &lost) || lost.Resume != "=" {
				t.Errorf("Run after %.20q: got %v, want it lost, and to go on from the beginning", after, err)
			}
		}
		for range 2 {
			if got, err := all(t, s, "="); err == nil || len(got) > 0 {
				t.Errorf("got %q, %v, want a failure", words(got), err)
			}
		}
		s.client = script(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
		if got, err := all(t, s, ""); err == nil || len(got) > 0 {
			t.Errorf("got %q, %v, want a failure", words(got), err)
		}
		s.client = script(func(r *http.Request) (*http.Response, error) { return held(r, ""), nil })
		for _, want := range []string{"gap unknown", "live"} {
			if got := words(take(t, s, "=", 1)); got[0] != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// TestParameter: the id to resume from goes where the server wants it.
func TestParameter(t *testing.T) {
	for param, want := range map[string]string{"": "a=1 été&+1", "last event": "a=1&last+event=%C3%A9t%C3%A9%26%2B1 "} {
		synctest.Test(t, func(t *testing.T) {
			var got string
			s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
				got = r.URL.RawQuery + " " + r.Header.Get("Last-Event-ID")
				return held(r, ""), nil
			}, func(o *Options) {
				o.URL, o.IDs, o.LastEventIDParam = "http://events.test/?a=1", idsPass, param
			})
			take(t, s, s.place("été&+1"), 1)
			if got != want {
				t.Errorf("%q: got %q, want %q", param, got, want)
			}
		})
	}
}

// TestRequest: what a server is asked.
func TestRequest(t *testing.T) {
	seen := make(chan *http.Request, 1)
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		begin(w, "data: a\n\n")
		<-r.Context().Done()
	})
	take(t, open(t, upstream, adapters.Env{}, nil), "", 1)
	r := <-seen
	for name, want := range map[string]string{
		"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store", "User-Agent": "sidestream/sse", "Last-Event-ID": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := r.Method + " " + r.RequestURI; got != "GET /events" {
		t.Errorf("got %s, want GET /events", got)
	}
}

// TestMeta: expressions see the server's id, also where it isn't passed on.
func TestMeta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, meta := range []bool{true, false} {
			s := openScript(adapters.Env{Meta: meta}, func(r *http.Request) (*http.Response, error) {
				return held(r, "id: 7\ndata: a\n\n"), nil
			}, nil)
			if got, has := take(t, s, "", 1)[0].Meta["id"]; has != meta || meta && got != "7" {
				t.Errorf("wanted %v: got the id %v, %v", meta, got, has)
			}
		}
	})
}

// TestTooLarge: an event beyond the bounds is announced in its place, and the
// stream goes on, from behind it if it has to.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Last-Event-ID") == "3" {
				return held(r, "id: 4\ndata: d\n\n"), nil
			}
			return answer("id: 1\ndata: 12345\n\nid: 2\ndata: 123456\n\ndata: c\n\n:" + strings.Repeat("x", 100) + "\nid: 3\n\n"), nil
		}, func(o *Options) { o.IDs, o.MaxEvent, o.MaxLine = idsPass, 5, 50 })
		want := []string{"1||12345", "gap invalid at 2", "2||c", "gap invalid at 3", "4||d"}
		if got := words(take(t, s, "", len(want))); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestRefused: what emit has refused is asked for again.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := []string{}
		s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.Header.Get("Last-Event-ID"))
			return held(r, "id: 1\ndata: a\n\nid: 2\ndata: b\n\n"), nil
		}, nil)
		take(t, s, "", 2)
		take(t, s, "", 1)
		if want := []string{"", "1"}; !slices.Equal(asked, want) {
			t.Errorf("got requests after %q, want %q", asked, want)
		}
	})
}

// TestSlow: an emit that takes long holds up the server, and loses nothing,
// nor is the server taken to be silent meanwhile.
func TestSlow(t *testing.T) {
	const events = 2000
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		begin(w, "")
		for range events {
			if _, err := io.WriteString(w, "data: "+strings.Repeat("x", 8<<10)+"\n\n"); err != nil {
				return
			}
		}
	})
	s := open(t, upstream, adapters.Env{}, func(o *Options) { o.IdleTimeout = adapters.Duration(50e6) })
	got, held := 0, false
	err := s.Run(t.Context(), "", func(e adapters.Event) error {
		if e.Live || e.Gap != nil {
			return nil
		}
		if !held { // until the server is stuck for longer than the idle timeout
			held = true
			ctx, cancel := context.WithTimeout(t.Context(), 200e6)
			<-ctx.Done()
			cancel()
		}
		if got++; got == events {
			return errEnoughOf
		}
		return nil
	})
	if !errors.Is(err, errEnoughOf) {
		t.Errorf("got %v after %d events, want %d", err, got, events)
	}
}

// FuzzPosition: an id comes back as it was from its position, which no other
// id has; and no other position gives an id.
func FuzzPosition(f *testing.F) {
	for _, id := range []string{"", "1", "5~1", "=", "=MQ", "-1", "é", " 1", "\x01", strings.Repeat("x", 961), strings.Repeat("~", 720)} {
		f.Add(id, true)
		f.Add(id, false)
	}
	header, param := openScript(adapters.Env{}, nil, nil), openScript(adapters.Env{}, nil, func(o *Options) { o.LastEventIDParam = "id" })
	f.Fuzz(func(t *testing.T, id string, inQuery bool) {
		s := header
		if inQuery {
			s = param
		}
		if p, ok := s.encodeID(id); ok {
			if back, ok := s.decodeID(p); !ok || back != id || !p.Valid() {
				t.Errorf("%q: got %q, %v back from %q", id, back, ok, p)
			}
			if p == endID || strings.HasPrefix(string(p), unplaced) || p == beginning {
				t.Errorf("%q: got the reserved position %q", id, p)
			}
		}
		if back, ok := s.decodeID(adapters.Position(id)); ok {
			if p, ok := s.encodeID(back); !ok || string(p) != id {
				t.Errorf("position %q: got the id %q, which has the position %q", id, back, p)
			}
		}
	})
}
