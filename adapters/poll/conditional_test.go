package poll

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

const (
	modified = "Mon, 02 Jan 2006 15:04:05 GMT"
	later    = "Mon, 02 Jan 2006 15:04:06 GMT"
)

// conditions says how a request was made conditional.
func conditions(r *http.Request) string {
	return r.Header.Get("If-None-Match") + "|" + r.Header.Get("If-Modified-Since")
}

func TestValidators(t *testing.T) {
	tests := []struct {
		name, etag, modified, date string
		want                       string // conditions of the second request
	}{
		{"none", "", "", later, "|"},
		{"strong", `"a"`, "", later, `"a"|`},
		{"weak", `W/"a"`, "", later, `W/"a"|`},
		{"date", "", modified, later, "|" + modified},
		{"both", `"a"`, modified, later, `"a"|` + modified},
		{"date of this very second", "", modified, modified, "|"},
		{"no date", "", "yesterday", later, "|"},
		{"star", "*", "", later, "|"},
		{"no quotes", "a", "", later, "|"},
		{"one quote", `"`, "", later, "|"},
		{"list", `"a", "b"`, "", later, "|"},
		{"control character", "\"\x01\"", "", later, "|"},
		{"too long", `"` + strings.Repeat("a", maxETag) + `"`, "", later, "|"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			s := newTestSource(script(func(r *http.Request) (*http.Response, error) {
				got = append(got, conditions(r))
				resp := reply(http.StatusOK, "{}")
				resp.Header.Set("ETag", tt.etag)
				resp.Header.Set("Last-Modified", tt.modified)
				resp.Header.Set("Date", tt.date)
				return resp, nil
			}), often)
			take(t, s, "", 3)
			if want := []string{"|", tt.want}; !slices.Equal(got, want) {
				t.Errorf("got conditions %q, want %q", got, want)
			}
		})
	}
}

// TestConditionalFlow follows one upstream through its states, with the
// continuation of a Run from every kind of position.
func TestConditionalFlow(t *testing.T) {
	var version string
	var got []string
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("If-None-Match"))
		etag := `W/"` + version + `"`
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"v":%q}`, version)
	})
	var counted tally
	s := open(t, upstream, counted.env(), nil)

	version = "1"
	one := take(t, s, "", 3) // 200, then 304
	if e := one[2]; !e.Live || e.Position != one[0].Position {
		t.Errorf("after 304: got %+v, want a notice at %q", e, one[0].Position)
	}
	version = "2"
	two := take(t, s, one[0].Position, 2)[0] // asks for a change, gets it
	if string(two.Data) != `{"v":"2"}` {
		t.Errorf("got %q, want version 2", two.Data)
	}
	take(t, s, two.Position, 1) // 304
	// From elsewhere, the state that the validators belong to isn't there.
	if e := take(t, s, one[0].Position, 1)[0]; e.Live || e.Position != two.Position {
		t.Errorf("from an old position: got %+v, want version 2", e)
	}
	if e := take(t, s, "", 1)[0]; e.Live || e.Position != two.Position {
		t.Errorf("from the start: got %+v, want version 2", e)
	}
	if want := []string{"", `W/"1"`, `W/"1"`, `W/"2"`, "", ""}; !slices.Equal(got, want) {
		t.Errorf("If-None-Match: got %q, want %q", got, want)
	}
	if want := []string{"200", "304", "200", "304", "200", "200"}; !slices.Equal(counted.get(), want) {
		t.Errorf("counted: got %v, want %v", counted.get(), want)
	}
}

// TestPostIsUnconditional: to conditions on other requests than GET, a server
// answers that they failed.
func TestPostIsUnconditional(t *testing.T) {
	n := 0
	take(t, newTestSource(script(func(r *http.Request) (*http.Response, error) {
		n++
		if got := conditions(r); got != "|" {
			t.Errorf("got the conditions %s, want none", got)
		}
		resp := reply(http.StatusOK, strconv.Itoa(n))
		resp.Header.Set("ETag", `"x"`)
		return resp, nil
	}), func(o *Options) {
		often(o)
		o.Method, o.Body = http.MethodPost, "{}"
	}), "", 3)
}

// TestHeadersChange: what reads the headers of an answer sees that they have
// changed, though the body is the same.
func TestHeadersChange(t *testing.T) {
	for name, edit := range map[string]func(*Options){
		"select":     func(o *Options) { o.Select = `$headers["X-Total"]` },
		"items.data": func(o *Options) { o.Emit, o.Items.Key, o.Items.Data = emitItems, `"x"`, `$headers["X-Total"]` },
		"list": func(o *Options) {
			o.Emit, o.Items.Start = emitAppend, startAll
			o.Items.Each, o.Items.Key = `range($headers["X-Total"] | tonumber)`, "."
		},
	} {
		for _, tag := range []string{"", `"x"`} {
			t.Run(name+tag, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := 0
					s := openTest(script(func(r *http.Request) (*http.Response, error) {
						n++
						resp := reply(http.StatusOK, "[0]")
						if r.Header.Get("If-None-Match") != "" {
							resp = reply(http.StatusNotModified, "")
						}
						resp.Header.Set("ETag", tag)
						resp.Header.Set("X-Total", strconv.Itoa(n))
						return resp, nil
					}), func(o *Options) {
						o.Every, o.Jitter = evenly(time.Second), 0
						edit(o)
					})
					if got, err := follow(t, s, "", 2500*time.Millisecond); len(got) != 3 {
						t.Errorf("got %s, %v, want an event for each of three answers", data(got), err)
					}
				})
			})
		}
	}
}

// TestUnaskedNotModified: status 304 without a condition tells nothing.
func TestUnaskedNotModified(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	err := fail(t, open(t, upstream, adapters.Env{}, nil))
	if got, want := adapters.Reason(err), "upstream answered 304"; got != want {
		t.Errorf("got reason %q, want %q", got, want)
	}
}

// TestValidatorsAfterRedirect: an entity tag is good for the URL that it came
// from, not for the one that redirects there, nor for the next one.
func TestValidatorsAfterRedirect(t *testing.T) {
	var got []string
	target := "/v1"
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("If-None-Match"))
		if r.URL.Path == "/doc" {
			http.Redirect(w, r, target, http.StatusFound)
			return
		}
		w.Header().Set("ETag", `"same"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, r.URL.Path)
	})
	s := open(t, upstream, adapters.Env{}, nil)
	p := take(t, s, "", 3)[0].Position
	target = "/v2"
	if e := take(t, s, p, 1)[0]; string(e.Data) != "/v2" {
		t.Errorf("got %+v, want the document of /v2", e)
	}
	want := []string{"/doc ", "/v1 ", "/doc ", `/v1 "same"`, "/doc ", "/v2 "}
	if !slices.Equal(got, want) {
		t.Errorf("got requests %q, want %q", got, want)
	}
}

// TestUnreadableKeepsState: after an answer that can't be read, the state
// before it and its validators still stand.
func TestUnreadableKeepsState(t *testing.T) {
	answers := []string{`{"a":1}`, `{"a":`, ""}
	var got []string
	s := newTestSource(script(func(r *http.Request) (*http.Response, error) {
		got = append(got, r.Header.Get("If-None-Match"))
		body := answers[len(got)-1]
		if body == "" {
			return reply(http.StatusNotModified, ""), nil
		}
		w := httptest.NewRecorder()
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, len(got)))
		w.Header().Set("Content-Type", "application/json")
		w.WriteString(body)
		return w.Result(), nil
	}), often)

	p := take(t, s, "", 2)[0].Position
	err := s.Run(t.Context(), p, func(e adapters.Event) error {
		t.Errorf("emitted %+v, want nothing", e)
		return errEnough
	})
	if got, want := adapters.Reason(err), "upstream sent an unreadable body"; got != want {
		t.Errorf("got reason %q, want %q", got, want)
	}
	if e := take(t, s, p, 1)[0]; !e.Live || e.Position != p {
		t.Errorf("got %+v, want a notice at %q", e, p)
	}
	if want := []string{"", `"1"`, `"1"`}; !slices.Equal(got, want) {
		t.Errorf("If-None-Match: got %q, want %q", got, want)
	}
}
