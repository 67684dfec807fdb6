package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// TestSecondPage: a first page that stays as it is doesn't hide that a second
// one has come.
func TestSecondPage(t *testing.T) {
	for name, edit := range map[string]func(*Options){
		"snapshot": func(*Options) {},
		"append": func(o *Options) {
			asList(o)
			o.Items.Start = startAll
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				epoch := time.Now()
				s := openTest(script(func(r *http.Request) (*http.Response, error) {
					if r.URL.RawQuery == "page=2" {
						return reply(http.StatusOK, "["+numbered(3, 3)+"]"), nil
					}
					resp := reply(http.StatusOK, "["+numbered(1, 2)+"]")
					if r.Header.Get("If-None-Match") != "" {
						resp = reply(http.StatusNotModified, "")
					}
					resp.Header.Set("ETag", `"first"`)
					if time.Since(epoch) > 2*time.Second {
						resp.Header.Set("Link", `<?page=2>; rel="next"`)
					}
					return resp, nil
				}), func(o *Options) {
					o.Every, o.Jitter, o.Pages.Next = evenly(time.Second), 0, nextLink
					edit(o)
				})
				got, err := follow(t, s, "", 5*time.Second)
				if !strings.Contains(data(got), numbered(3, 3)) {
					t.Errorf("got %s, %v, want %s too", data(got), err, numbered(3, 3))
				}
			})
		})
	}
}

// TestNewestFirstIsConditional: what is new in a list that begins with it is
// on its first page, whose validators hold for all.
func TestNewestFirstIsConditional(t *testing.T) {
	for _, link := range []string{"", `<?page=2>; rel="next"`} {
		synctest.Test(t, func(t *testing.T) {
			var asked []string
			newest := 4
			s := newList(func(r *http.Request) (*http.Response, error) {
				tag := fmt.Sprintf(`"%d"`, newest)
				asked = append(asked, r.URL.RawQuery+r.Header.Get("If-None-Match"))
				resp := reply(http.StatusNotModified, "")
				if r.Header.Get("If-None-Match") != tag {
					resp = reply(http.StatusOK, "["+reversed(newest-1, newest)+"]")
				}
				resp.Header.Set("ETag", tag)
				resp.Header.Set("Link", link)
				if len(asked) == 3 {
					newest = 5
				}
				return resp, nil
			}, func(o *Options) { o.Items.Order, o.Pages.Next = newestFirst, nextLink })
			if got, err := follow(t, s, "", 4500*time.Millisecond); data(got) != numbered(5, 5) {
				t.Errorf("Link %q: got %s, %v, want %s", link, data(got), err, numbered(5, 5))
			}
			if want := []string{"", `"4"`, `"4"`, `"4"`, `"5"`}; !slices.Equal(asked, want) {
				t.Errorf("Link %q: asked %q, want %q", link, asked, want)
			}
		})
	}
}

// TestMorePagesThanAskedFor: a list either goes on behind the last page that
// was asked for, or is the newest of it, or can't be used.
func TestMorePagesThanAskedFor(t *testing.T) {
	tests := []struct {
		name   string
		order  Order
		cursor string
		want   string
	}{
		{"oldest first, with a cursor", oldestFirst, ".[-1].id", numbered(1, 9)},
		{"oldest first", oldestFirst, "", ""},
		{"newest first", newestFirst, "", numbered(6, 9)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const total = 9
				s := newList(func(r *http.Request) (*http.Response, error) {
					from := 0
					fmt.Sscan(r.URL.Query().Get("after"), &from)
					to := min(from+2, total)
					list := numbered(from+1, to)
					if tt.order == newestFirst {
						list = reversed(total-to+1, total-from)
					}
					resp := reply(http.StatusOK, "["+list+"]")
					if to < total {
						resp.Header.Set("Link", fmt.Sprintf(`<?after=%d>; rel="next"`, to))
					}
					return resp, nil
				}, func(o *Options) {
					o.Query, o.Cursor.Next = map[string]string{"after": "{cursor}"}, tt.cursor
					if tt.cursor == "" {
						o.Query = nil
					}
					o.Items.Order, o.Items.Start, o.Pages.Next, o.Pages.Max = tt.order, startAll, nextLink, 2
				})
				got, err := follow(t, s, "", 500*time.Millisecond)
				if data(got) != tt.want {
					t.Errorf("got %s, %v, want %s", data(got), err, tt.want)
				}
				if tt.want == "" {
					wantReason(t, err, errManyPages.Error())
				}
			})
		})
	}
}

// TestNewestFirstOverflow: when a cursor has more news, the newest first, than
// one poll may ask for, the position is lost, and there is a way on.
func TestNewestFirstOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var total atomic.Int64
		total.Store(3)
		s := newList(func(r *http.Request) (*http.Response, error) {
			since, page, newest := 0, 1, int(total.Load())
			fmt.Sscan(r.URL.Query().Get("since"), &since)
			fmt.Sscan(r.URL.Query().Get("page"), &page)
			at, list := newest-page+1, ""
			if at > since {
				list = numbered(at, at)
			}
			resp := reply(http.StatusOK, fmt.Sprintf(`{"items":[%s],"newest":%d}`, list, newest))
			if at-1 > since {
				resp.Header.Set("Link", fmt.Sprintf(`<?since=%d&page=%d>; rel="next"`, since, page+1))
			}
			return resp, nil
		}, func(o *Options) {
			o.Query, o.Cursor.Next = map[string]string{"since": "{cursor}"}, ".newest"
			o.Items.Order, o.Pages.Next, o.Pages.Max, o.Select = newestFirst, nextLink, 2, ".items"
		})
		go func() {
			time.Sleep(1500 * time.Millisecond)
			total.Store(5)
			time.Sleep(time.Second)
			total.Store(9)
		}()
		got, err := follow(t, s, "", 10*time.Second)
		var lost *adapters.PositionLostError
		if data(got) != numbered(4, 5) || !errors.As(err, &lost) || lost.Reason != adapters.LostOverflow {
			t.Fatalf("got %s, %v, want %s and the rest lost", data(got), err, numbered(4, 5))
		}
		go func() {
			time.Sleep(2500 * time.Millisecond)
			total.Store(10)
		}()
		got, err = follow(t, s, lost.Resume, 5*time.Second)
		if want := numbered(8, 10); data(got) != want || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after that: got %s, %v, want %s and on", data(got), err, want)
		}
	})
}

// TestListTwice: an item that one answer has twice, as when new ones push it to
// the next page between two requests, comes once.
func TestListTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []string{numbered(1, 2), `{"id":1},{"id":2},{"id":3},{"id":3,"again":true},{"id":4}`}
		n := 0
		s := newList(func(*http.Request) (*http.Response, error) {
			n++
			return reply(http.StatusOK, "["+answers[min(n, 2)-1]+"]"), nil
		}, nil)
		if got, err := follow(t, s, "", 3500*time.Millisecond); data(got) != numbered(3, 4) {
			t.Errorf("got %s, %v, want %s", data(got), err, numbered(3, 4))
		}
	})
}
