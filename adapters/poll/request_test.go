package poll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/poll/payload"
	"sidestream/adapters/secret"
)

// TestRequestBody: an expression makes the body of the variables and the
// cursor, so that no value can break out of its place.
func TestRequestBody(t *testing.T) {
	tests := []struct {
		name, body  string
		want, typ   string // of the first request
		second      string
		contentType string
	}{
		{name: "JSON", body: `{user: $vars.user, since: $cursor}`, want: `{"since":null,"user":"a\"b\\c"}`, second: `{"since":7,"user":"a\"b\\c"}`, typ: "application/json"},
		{name: "text", body: `"user=" + ($vars.user | @uri) + "&since=" + ($cursor // "")`, want: `user=a%22b%5Cc&since=`, second: `user=a%22b%5Cc&since=7`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var bodies, types []string
			upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				bodies, types = append(bodies, string(body)), append(types, r.Method+" "+r.Header.Get("Content-Type"))
				io.WriteString(w, `{"next":7}`)
			})
			f := configure(t, adapters.Route{Path: "/doc", Vars: []string{"user"}, Query: []string{"user"}, Upstream: upstream}, func(o *Options) {
				often(o)
				o.Method, o.Body, o.Cursor.Next = "POST", tt.body, ".next"
			})
			s, err := f.Open(adapters.Vars{"user": `a"b\c`}, adapters.Env{})
			if err != nil {
				t.Fatal(err)
			}
			take(t, s, "", 3)
			second := strings.ReplaceAll(tt.second, `:7`, `:"7"`) // a cursor is text
			if want := []string{tt.want, second}; !slices.Equal(bodies, want) {
				t.Errorf("bodies: got %q, want %q", bodies, want)
			}
			if want := "POST " + tt.typ; types[0] != want {
				t.Errorf("got %q, want %q", types[0], want)
			}
		})
	}
}

// TestQuery: values of the option are text, and can't reach beyond their pair.
func TestQuery(t *testing.T) {
	f := configure(t, adapters.Route{Vars: []string{"user"}}, func(o *Options) {
		o.URL = "http://legacy.test/doc?a=1"
		o.Query = map[string]string{"z z": "100% &x=y#", "u": "{user}!", "c": "{cursor}"}
		o.Cursor.Next = ".next"
	})
	for cursor, want := range map[string]string{
		"":       "a=1&u=b%26c!&z+z=100%25%20%26x%3Dy%23",
		"1&2 {}": "a=1&c=1%262+%7B%7D&u=b%26c!&z+z=100%25%20%26x%3Dy%23",
	} {
		u, err := f.target.expand(adapters.Vars{"user": "b&c"}, cursor)
		if err != nil || u.RawQuery != want {
			t.Errorf("cursor %q: got %s, %v, want %s", cursor, u.RawQuery, err, want)
		}
	}
}

// TestForwarded: a principal's credentials are sent, its refusal ends the
// run, and another failure doesn't.
func TestForwarded(t *testing.T) {
	tests := []struct {
		status  int
		header  http.Header
		denied  bool
		forward []string
	}{
		{401, http.Header{"Www-Authenticate": {`Basic realm="x"`, "Bearer"}}, true, []string{"authorization", "Cookie"}},
		{403, nil, true, []string{"Authorization"}},
		{403, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"60"}}, false, []string{"Authorization"}},
		{403, http.Header{"Retry-After": {"5"}}, false, []string{"Authorization"}},
		{404, nil, false, []string{"Authorization"}},
		{401, nil, false, nil},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.header), func(t *testing.T) {
			var seen http.Header
			upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
				seen = r.Header
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tt.status)
			})
			f := configure(t, adapters.Route{Path: "/doc", Upstream: upstream}, func(o *Options) { o.Forward = tt.forward })
			if got := f.Capabilities().Forward; len(tt.forward) > 0 && got[0] != "Authorization" {
				t.Errorf("got %q, want names in canonical form", got)
			}
			env := adapters.Env{}
			if tt.forward != nil {
				env.Credentials = http.Header{"Authorization": {"Bearer hunter2"}}
			}
			s, err := f.Open(nil, env)
			if err != nil {
				t.Fatal(err)
			}
			err = fail(t, s)
			var denied *adapters.DeniedError
			if errors.As(err, &denied) != tt.denied {
				t.Fatalf("got %v, want denied %v", err, tt.denied)
			}
			if tt.denied && (denied.Status != tt.status || !slices.Equal(denied.Challenge, tt.header["Www-Authenticate"])) {
				t.Errorf("got %+v, want status %d and challenge %q", denied, tt.status, tt.header["Www-Authenticate"])
			}
			if got := seen.Get("Authorization"); (got == "Bearer hunter2") != (tt.forward != nil) {
				t.Errorf("the API saw Authorization %q", got)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, want no secret in it", err)
			}
		})
	}
}

// TestAdvice: what the API asks for puts the next poll off.
func TestAdvice(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header http.Header
		want   time.Duration
		why    string
	}{
		{"none", 200, nil, time.Second, "every"},
		{"max-age", 200, http.Header{"Cache-Control": {"private, max-age=7"}}, 7 * time.Second, "max-age"},
		{"shorter than every", 200, http.Header{"X-Poll-Interval": {"0"}}, time.Second, "every"},
		{"x-poll-interval", 304, http.Header{"X-Poll-Interval": {"60"}}, time.Minute, "x-poll-interval"},
		{"retry-after", 503, http.Header{"Retry-After": {"30"}}, 30 * time.Second, "retry-after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				polls := starts{epoch: time.Now()}
				s := newTestSource(script(func(r *http.Request) (*http.Response, error) {
					polls.note()
					resp := reply(tt.status, "")
					if tt.status == 304 && r.Header.Get("If-None-Match") == "" {
						resp = reply(200, "{}")
					}
					resp.Header = tt.header.Clone()
					if resp.Header == nil {
						resp.Header = http.Header{}
					}
					resp.Header.Set("ETag", `"x"`)
					return resp, nil
				}), func(o *Options) { o.Every, o.Jitter = evenly(time.Second), 0 })
				ctx, cancel := context.WithTimeout(t.Context(), tt.want*3/2)
				defer cancel()
				for ctx.Err() == nil {
					s.Run(ctx, "", ignore)
				}
				if len(polls.list) != 2 || polls.list[1] < tt.want || polls.list[1] > tt.want*11/10 {
					t.Fatalf("got polls at %v, want the second %v after the first, and up to a tenth more", polls.list, tt.want)
				}
				r := s.Report()
				if r.Last != strconv.Itoa(tt.status) || r.Why != tt.why || !r.Next.After(r.At) {
					t.Errorf("got report %+v, want %d, and the next later because of %s", r, tt.status, tt.why)
				}
			})
		})
	}
}

// TestAdaptive: the interval grows while nothing changes, up to its bound.
func TestAdaptive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			polls.note()
			n := 0
			if len(polls.list) > 4 {
				n = 1
			}
			return reply(http.StatusOK, strconv.Itoa(n)), nil
		}), func(o *Options) {
			o.Every.Min, o.Every.Max, o.Jitter = adapters.Duration(time.Second), adapters.Duration(2*time.Second), 0
		})
		until(t, s, 8500*time.Millisecond, ignore)
		want := []time.Duration{0, time.Second, 2500 * time.Millisecond, 4500 * time.Millisecond, 6500 * time.Millisecond, 7500 * time.Millisecond}
		if !slices.Equal(polls.list, want) {
			t.Errorf("got polls at %v, want %v", polls.list, want)
		}
	})
}

// TestLongPoll: after news the next request follows at once, after none too,
// since the API has held the last; and a source that is left cancels it.
func TestLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		cancelled := false
		s := newTestSource(script(func(r *http.Request) (*http.Response, error) {
			polls.note()
			n := len(polls.list)
			held := time.NewTimer(3 * time.Second)
			defer held.Stop()
			select {
			case <-held.C:
			case <-r.Context().Done():
				cancelled = true
				return nil, r.Context().Err()
			}
			if n == 3 {
				return reply(http.StatusNoContent, ""), nil
			}
			return reply(http.StatusOK, strconv.Itoa(n)), nil
		}), func(o *Options) { o.Every, o.Jitter, o.LongPoll = evenly(time.Minute), 0, true })
		var got []string
		until(t, s, 13*time.Second, func(e adapters.Event) error {
			if !e.Live {
				got = append(got, string(e.Data))
			}
			return nil
		})
		want := []time.Duration{0, 3 * time.Second, 6 * time.Second, 9 * time.Second, 12 * time.Second}
		if !slices.Equal(polls.list, want) || !cancelled {
			t.Errorf("got polls at %v, the last cancelled %v, want %v", polls.list, cancelled, want)
		}
		if want := []string{"1", "2", "4"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q: 204 is no news", got, want)
		}
	})
}

// TestNotHeld: an API that doesn't hold requests is not asked without end.
func TestNotHeld(t *testing.T) {
	for name, tt := range map[string]struct {
		body func(n int) string
		want []time.Duration
	}{
		"no news":   {func(int) string { return "1" }, []time.Duration{0, 100 * time.Millisecond, 10100 * time.Millisecond}},
		"all news":  {strconv.Itoa, nil},
		"not ready": {func(n int) string { return strconv.Itoa(n / 50) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				polls := starts{epoch: time.Now()}
				s := newTestSource(script(func(*http.Request) (*http.Response, error) {
					polls.note()
					return reply(http.StatusOK, tt.body(len(polls.list))), nil
				}), func(o *Options) { o.Every, o.Jitter, o.LongPoll = evenly(10*time.Second), 0, true })
				until(t, s, 11*time.Second, ignore)
				if tt.want != nil && !slices.Equal(polls.list, tt.want) {
					t.Errorf("got polls at %v, want %v", polls.list, tt.want)
				}
				if n := len(polls.list); n > 111 {
					t.Errorf("got %d polls in 11 s, want 10 a second at most", n)
				}
			})
		})
	}
}

// TestNoLongerJSON: an answer of another kind than before doesn't take the
// place of the state, unless the format is what lets it.
func TestNoLongerJSON(t *testing.T) {
	const login = "<html>log in</html>"
	tests := []struct {
		name   string
		format payload.Format
		want   []string
	}{
		{"auto", payload.Auto, []string{`{"a":1}`}},
		{"text", payload.Text, []string{`{"a":1}`, login}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := []string{`{"a":1}`, login}
			n := 0
			s := openTest(script(func(*http.Request) (*http.Response, error) {
				n++
				return reply(http.StatusOK, answers[min(n, 2)-1]), nil
			}), func(o *Options) {
				often(o)
				o.Answer.Format = tt.format
			})
			var got []string
			err := s.Run(t.Context(), "", func(e adapters.Event) error {
				if !e.Live {
					got = append(got, string(e.Data))
				}
				if n > 2 {
					return errEnough
				}
				return nil
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.format == payload.Auto {
				wantReason(t, err, payload.ErrUnreadable.Error())
			}
		})
	}
}

// TestHostDown: when the host does not answer, a key that doesn't know fails
// at once and then waits, without a request of its own.
func TestHostDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		dead := script(func(*http.Request) (*http.Response, error) {
			requests++
			return nil, io.ErrUnexpectedEOF
		})
		first := newTestSource(dead, nil)
		var keys []*stateSource
		for range 100 {
			s, err := first.Open(nil, adapters.Env{})
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, s.(*stateSource))
		}
		for _, s := range keys {
			if err := s.Run(t.Context(), "", ignore); err == nil {
				t.Fatal("got nil, want an error")
			}
		}
		if requests > 10 {
			t.Errorf("got %d requests for 100 keys, want those it takes to know, 5", requests)
		}
		if err := keys[99].Run(t.Context(), "", ignore); err == nil || requests > 10 {
			t.Errorf("got %v and %d requests, want a probe to fail", err, requests)
		}
	})
}

func TestExplain(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "sid=hunter2")
		io.WriteString(w, `{"ok":true,"items":[{"id":1}],"next":"c1"}`)
	})
	f := configure(t, adapters.Route{Path: "/doc", Upstream: upstream}, func(o *Options) {
		o.URL = "/doc?limit=5&api_key=hunter2&since={cursor}"
		o.Client.Headers = map[string]secret.Value{"X-Key": secret.Text("hunter2")}
		o.Select, o.Cursor.Next, o.Emit = ".items", ".next", emitPatch
	})
	for _, run := range []bool{false, true} {
		s, err := f.Open(nil, adapters.Env{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.(adapters.Explainer).Explain(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, step := range got.Steps {
			names = append(names, step.Name)
			if strings.Contains(step.Text, "hunter2") {
				t.Errorf("step %s: got a secret in it: %s", step.Name, step.Text)
			}
		}
		want, events := []string{"pace", "request"}, 0
		if run {
			want, events = append(want, "answer", "document", "cursor", "select", "then", "next poll"), 1
		}
		if !slices.Equal(names, want) || len(got.Events) != events {
			t.Errorf("run %v: got steps %q and %d events, want %q and %d", run, names, len(got.Events), want, events)
		}
	}
}

// TestExplainNoNews: an API that says that it has no news, as to a request that
// it would hold, is no error, and neither makes an event.
func TestExplainNoNews(t *testing.T) {
	for _, emit := range []Emit{emitSnapshot, emitPatch, emitItems, emitAppend} {
		s := openTest(script(func(*http.Request) (*http.Response, error) { return reply(http.StatusNoContent, ""), nil }), func(o *Options) {
			o.LongPoll, o.Emit = true, emit
			if emit == emitItems || emit == emitAppend {
				o.Items.Key = ".id"
			}
		})
		got, err := s.(adapters.Explainer).Explain(t.Context(), true)
		if err != nil || len(got.Events) > 0 {
			t.Errorf("%s: got %d events, %v, want none", emit, len(got.Events), err)
		}
	}
}

// TestExplainList: a list that starts live begins with nothing.
func TestExplainList(t *testing.T) {
	for start, want := range map[Start]string{startLive: "", startAll: numbered(1, 3)} {
		s := newList(func(*http.Request) (*http.Response, error) {
			return reply(http.StatusOK, "["+numbered(1, 3)+"]"), nil
		}, func(o *Options) { o.Items.Start = start })
		got, err := s.Explain(t.Context(), true)
		if err != nil || data(got.Events) != want {
			t.Errorf("%s: got %s, %v, want %s", start, data(got.Events), err, want)
		}
	}
}
