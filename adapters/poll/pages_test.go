package poll

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPages(t *testing.T) {
	// An API with 5 numbers, two on a page.
	page := func(from int) (string, int) {
		to := min(from+2, 5)
		list := []string{}
		for i := from; i < to; i++ {
			list = append(list, strconv.Itoa(i))
		}
		return strings.Join(list, ","), to
	}
	tests := []struct {
		name   string
		edit   func(*Options)
		answer script
		want   string
		asked  []string
	}{
		{"link", func(o *Options) { o.Pages.Next = nextLink }, func(r *http.Request) (*http.Response, error) {
			from, _ := strconv.Atoi(r.URL.Query().Get("from"))
			list, to := page(from)
			resp := reply(http.StatusOK, "["+list+"]")
			if to < 5 {
				resp.Header.Add("Link", fmt.Sprintf(`<x>; rel=first; title="a, \"b\"; rel=next", </doc?from=%d&a=1>; REL="up NEXT"`, to))
			}
			return resp, nil
		}, "[0,1,2,3,4]", []string{"a=1", "from=2&a=1", "from=4&a=1"}},
		{"URL", func(o *Options) { o.Pages.Next, o.Select = ".next", ".list" }, func(r *http.Request) (*http.Response, error) {
			from, _ := strconv.Atoi(r.URL.Query().Get("from"))
			list, to := page(from)
			next := "null"
			if to < 5 {
				next = fmt.Sprintf(`"http://legacy.test/doc?from=%d"`, to)
			}
			return reply(http.StatusOK, fmt.Sprintf(`{"list":[%s],"next":%s}`, list, next)), nil
		}, "[0,1,2,3,4]", []string{"a=1", "from=2", "from=4"}},
		{"token", func(o *Options) { o.Pages.Next, o.Pages.Param, o.Select = ".next", "from", ".list" }, func(r *http.Request) (*http.Response, error) {
			from, _ := strconv.Atoi(r.URL.Query().Get("from"))
			list, to := page(from)
			next := "null"
			if to < 5 {
				next = strconv.Itoa(to)
			}
			return reply(http.StatusOK, fmt.Sprintf(`{"list":[%s],"next":%s}`, list, next)), nil
		}, "[0,1,2,3,4]", []string{"a=1", "a=1&from=2", "a=1&from=4"}},
		{"offset", func(o *Options) { o.Pages.Param, o.Pages.First, o.Pages.Step = "from", 0, 2 }, func(r *http.Request) (*http.Response, error) {
			from, _ := strconv.Atoi(r.URL.Query().Get("from"))
			list, _ := page(from)
			return reply(http.StatusOK, "["+list+"]"), nil
		}, "[0,1,2,3,4]", []string{"a=1", "a=1&from=2", "a=1&from=4", "a=1&from=6"}},
		{"bound", func(o *Options) { o.Pages.Param, o.Pages.Max = "page", 3 }, func(*http.Request) (*http.Response, error) {
			return reply(http.StatusOK, "[1]"), nil
		}, "", []string{"a=1", "a=1&page=2", "a=1&page=3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []string
				s := newTestSource(script(func(r *http.Request) (*http.Response, error) {
					asked = append(asked, r.URL.RawQuery)
					resp, err := tt.answer(r)
					resp.Header.Set("ETag", `"x"`)
					return resp, err
				}), func(o *Options) {
					o.URL = "http://legacy.test/doc?a=1"
					tt.edit(o)
				})
				if tt.want == "" {
					wantReason(t, fail(t, s), errManyPages.Error())
				} else if got := string(take(t, s, "", 1)[0].Data); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				if !slices.Equal(asked, tt.asked) {
					t.Errorf("asked %q, want %q", asked, tt.asked)
				}
			})
		})
	}
}

func TestHostilePages(t *testing.T) {
	tests := []struct{ name, next, reason string }{
		{"circle", "http://legacy.test/doc", errPageLoop.Error()},
		{"circle of two", "http://legacy.test/other", errPageLoop.Error()},
		{"other host", "http://evil.test/doc", errPageElsewhere.Error()},
		{"other port", "http://legacy.test:81/doc", errPageElsewhere.Error()},
		{"other scheme", "https://legacy.test/doc", errPageElsewhere.Error()},
		{"user", "http://a:b@legacy.test/x", errPageElsewhere.Error()},
		{"scheme-relative", "//evil.test/doc", errPageElsewhere.Error()},
		{"no URL", "http://[", errPageElsewhere.Error()},
		{"file", "file:///etc/passwd", errPageElsewhere.Error()},
		{"not an array", "http://legacy.test/object", "upstream sent an unreadable body"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				s := newTestSource(script(func(r *http.Request) (*http.Response, error) {
					if asked++; r.URL.Host != "legacy.test" || r.URL.Scheme != "http" || asked > 10 {
						t.Errorf("got request %d for %s, want few, and to the host that is configured", asked, r.URL)
					}
					if r.URL.Path == "/object" {
						return reply(http.StatusOK, "{}"), nil
					}
					resp := reply(http.StatusOK, "[1]")
					resp.Header.Set("Link", "<"+tt.next+">; rel=next")
					return resp, nil
				}), func(o *Options) { o.Pages.Next, o.Pages.Max = nextLink, 100 })
				wantReason(t, fail(t, s), tt.reason)
			})
		})
	}
}

// TestPagesOfAList: of a list that begins with the newest item, no more pages
// are asked for than it takes to get to what is known.
func TestPagesOfAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		var asked []string
		s := newList(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.RawQuery)
			newest := 40
			if time.Since(epoch) > 500*time.Millisecond {
				newest = 52
			}
			n, _ := strconv.Atoi(r.URL.Query().Get("page"))
			top := newest - 10*max(n-1, 0)
			list := []string{}
			for i := top; i > top-10; i-- {
				list = append(list, fmt.Sprintf(`{"id":%d}`, i))
			}
			return reply(http.StatusOK, "["+strings.Join(list, ",")+"]"), nil
		}, func(o *Options) { o.Items.Order, o.Pages.Param = newestFirst, "page" })
		got, _ := follow(t, s, "", 2500*time.Millisecond)
		if want := numbered(41, 52); data(got) != want {
			t.Errorf("got %s, want %s", data(got), want)
		}
		if want := []string{"", "", "page=2", ""}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	})
}

func TestLinkNext(t *testing.T) {
	tests := []struct {
		fields []string
		want   string
	}{
		{nil, ""},
		{[]string{`<a>; rel=next`}, "a"},
		{[]string{`<a>; rel="prev", <b>;rel="next"`}, "b"},
		{[]string{`<a>; rel=prev`, `<b>; rel=next`}, "b"},
		{[]string{`<a,b;c>; title="x, <y>; rel=next"; rel=last, <d>; rel=next`}, "d"},
		{[]string{`<a>; rel="first next"`}, "a"},
		{[]string{`<a>; rev=next`}, ""},
		{[]string{`<a>; rel`}, ""},
		{[]string{`<a`, `a>; rel=next`, `;;,,`, `<>; rel=next`, `<b>; rel="next`}, "b"},
	}
	for _, tt := range tests {
		if got := linkNext(tt.fields); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.fields, got, tt.want)
		}
	}
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil || errors.Is(err, errEnough) || !strings.HasPrefix(err.Error(), reason) {
		t.Errorf("got %v, want it to be for %q", err, reason)
	}
}
