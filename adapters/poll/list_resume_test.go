package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// reversed are items, the newest first.
func reversed(from, to int) string {
	items := strings.Split(numbered(from, to), ",")
	slices.Reverse(items)
	return strings.Join(items, ",")
}

// inBackground runs s from the start until the test ends.
func inBackground(t *testing.T, s adapters.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx, "", func(adapters.Event) error { return nil })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	synctest.Wait()
}

// TestListEdited: an item that is listed again behind newer ones is not new,
// and hides none of them.
func TestListEdited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []string{
			numbered(1, 3),
			`{"id":1},{"id":3},{"id":4},{"id":2,"edited":true}`,
			`{"id":1},{"id":4},{"id":2,"edited":true},{"id":5},{"id":3,"edited":true}`,
		}
		n := 0
		s := newList(func(*http.Request) (*http.Response, error) {
			n++
			return reply(http.StatusOK, "["+answers[min(n, len(answers))-1]+"]"), nil
		}, nil)
		if got, err := follow(t, s, "", 4500*time.Millisecond); data(got) != numbered(4, 5) {
			t.Errorf("got %s, %v, want %s", data(got), err, numbered(4, 5))
		}
	})
}

// TestListDeepPages: what a Run needs of a list in pages is asked for, though
// another Run was content with the first page; and what the one finds on
// older pages doesn't come to stand behind what the other has seen.
func TestListDeepPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newList(func(r *http.Request) (*http.Response, error) {
			page := 0
			fmt.Sscanf(r.URL.RawQuery, "page=%d", &page)
			resp := reply(http.StatusOK, "["+reversed(10-3*page, 12-3*page)+"]")
			resp.Header.Set("Link", fmt.Sprintf(`<?page=%d>; rel="next"`, page+1))
			return resp, nil
		}, func(o *Options) { o.Items.Order, o.Pages.Next = newestFirst, nextLink })
		inBackground(t, s)
		for _, after := range []int{5, 6, 8, 6, 9, 11} {
			pos := place{mark: markOf(strconv.Itoa(after))}.position()
			if got, err := follow(t, s, pos, 2500*time.Millisecond); data(got) != numbered(after+1, 12) {
				t.Errorf("after %d: got %s, %v, want %s", after, data(got), err, numbered(after+1, 12))
			}
		}
	})
}

// TestListConditional: an unchanged list is asked for with its validators,
// and what is known of it stays.
func TestListConditional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var newest atomic.Int64
		newest.Store(3)
		asked := []string{} // guarded by the source's turn
		s := newList(func(r *http.Request) (*http.Response, error) {
			last := int(newest.Load())
			tag := fmt.Sprintf(`"%d"`, last)
			asked = append(asked, r.Header.Get("If-None-Match"))
			resp := reply(http.StatusNotModified, "")
			if r.Header.Get("If-None-Match") != tag {
				resp = reply(http.StatusOK, "["+numbered(1, last)+"]")
			}
			resp.Header.Set("ETag", tag)
			return resp, nil
		}, nil)
		inBackground(t, s)
		time.Sleep(2500 * time.Millisecond)
		if got, _ := follow(t, s, place{mark: markOf("1")}.position(), 100*time.Millisecond); data(got) != numbered(2, 3) {
			t.Errorf("got %s after a 304, want %s", data(got), numbered(2, 3))
		}
		newest.Store(4)
		if got, _ := follow(t, s, place{mark: markOf("3")}.position(), 1500*time.Millisecond); data(got) != numbered(4, 4) {
			t.Errorf("got %s, want %s", data(got), numbered(4, 4))
		}
		synctest.Wait()
		if want := []string{"", `"3"`, `"3"`, `"3"`}; !slices.Equal(asked[:4], want) {
			t.Errorf("got If-None-Match %q, want %q", asked, want)
		}
	})
}

// since answers with the three items after the cursor, or the newest three.
func since(newest *atomic.Int64) script {
	return func(r *http.Request) (*http.Response, error) {
		total := int(newest.Load())
		from := total - 3
		fmt.Sscanf(r.URL.Query().Get("since"), "%d", &from)
		return reply(http.StatusOK, fmt.Sprintf(`{"items":[%s],"next":%d}`, numbered(from+1, min(from+3, total)), min(from+3, total))), nil
	}
}

func withCursor(o *Options) {
	o.Query, o.Cursor = map[string]string{"since": "{cursor}"}, Cursor{Next: ".next"}
	o.Items.Each = ".items[]"
}

// TestListBehind: a Run that is several answers behind the others gets there
// without waiting for their polls to be due, and without a gap.
func TestListBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var total atomic.Int64
		total.Store(20)
		s := newList(since(&total), withCursor)
		inBackground(t, s)
		for _, after := range []int{2, 5, 4, 14, 17, 18} {
			pos := place{cursor: strconv.Itoa(after), mark: markOf(strconv.Itoa(after)), all: true}.position()
			if got, err := follow(t, s, pos, 500*time.Millisecond); data(got) != numbered(after+1, 20) {
				t.Errorf("after %d: got %s, %v, want %s", after, data(got), err, numbered(after+1, 20))
			}
		}
		// Ids are good elsewhere, those of items too that were there at first.
		got, _ := follow(t, s, place{cursor: "17", mark: markOf("17"), all: true}.position(), 500*time.Millisecond)
		total.Store(30)
		rest, err := follow(t, newList(since(&total), withCursor), got[1].Position, 10*time.Second)
		if want := numbered(20, 30); data(rest) != want {
			t.Errorf("elsewhere, after 19: got %s, %v, want %s", data(rest), err, want)
		}
	})
}

// TestListCursorRefused: a cursor that the API no longer takes is a lost
// position. That the API takes no request at all is a failure like others.
func TestListCursorRefused(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity} {
		synctest.Test(t, func(t *testing.T) {
			down := false
			var total atomic.Int64
			total.Store(3)
			s := newList(func(r *http.Request) (*http.Response, error) {
				if down || r.URL.RawQuery != "" {
					return reply(status, ""), nil
				}
				return since(&total)(r)
			}, withCursor)
			pos := place{cursor: "1", all: true}.position()
			if _, err := follow(t, s, pos, time.Second); !errors.Is(err, adapters.ErrPositionLost) {
				t.Errorf("%d: got %v, want the position lost", status, err)
			}
			time.Sleep(2 * time.Second)
			down = true
			if _, err := follow(t, s, pos, time.Second); err == nil || errors.Is(err, adapters.ErrPositionLost) {
				t.Errorf("%d to every request: got %v, want a failure", status, err)
			}
		})
	}
}

// TestListLongPoll: 204 to a held request says that nothing was added.
func TestListLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := newList(func(*http.Request) (*http.Response, error) {
			if n++; n%2 == 1 {
				return reply(http.StatusNoContent, ""), nil
			}
			return reply(http.StatusOK, "["+numbered(1, n)+"]"), nil
		}, func(o *Options) { o.LongPoll, o.Items.Start = true, startAll })
		if got, err := follow(t, s, "", 5500*time.Millisecond); !strings.HasPrefix(data(got), numbered(1, 4)) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %s, %v, want %s and on", data(got), err, numbered(1, 4))
		}
	})
}

// TestListFailure: what was answered before a failure doesn't make the list
// look live again.
func TestListFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusOK
		s := newList(func(*http.Request) (*http.Response, error) { return reply(status, "["+numbered(1, 3)+"]"), nil }, nil)
		first := take(t, s, "", 1)
		status = http.StatusInternalServerError
		for i := range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			err := s.Run(ctx, first[0].Position, func(e adapters.Event) error {
				if i > 0 {
					t.Errorf("attempt %d: got %+v, want nothing while the upstream fails", i, e)
				}
				return nil
			})
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("attempt %d: got %v, want a failure", i, err)
			}
		}
		status = http.StatusOK
		if got := take(t, s, first[0].Position, 1); !got[0].Live {
			t.Errorf("got %+v, want it live", got)
		}
	})
}

// TestListOlderFirst: what a Run finds that is far behind the others, and
// happens to ask while they are busy delivering, doesn't come to stand behind
// what they have seen. If it did, the rest would look old to it.
func TestListOlderFirst(t *testing.T) {
	for name, before := range map[string]bool{"while the others deliver": false, "before the others": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var total atomic.Int64
				total.Store(20)
				s := newList(since(&total), withCursor)
				old := place{cursor: "10", mark: markOf("10"), all: true}.position()
				if before {
					take(t, s, old, 1)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				s.Run(ctx, "", func(adapters.Event) error {
					got, err := follow(t, s, old, 500*time.Millisecond)
					if want := numbered(11, 20); data(got) != want {
						t.Errorf("got %s, %v, want %s", data(got), err, want)
					}
					cancel()
					return nil
				})
				inBackground(t, s)
				total.Store(21)
				for _, after := range []int{10, 12, 16, 18, 20} {
					pos := place{cursor: strconv.Itoa(after), mark: markOf(strconv.Itoa(after)), all: true}.position()
					if got, err := follow(t, s, pos, 2500*time.Millisecond); data(got) != numbered(after+1, 21) {
						t.Errorf("after %d: got %s, %v, want %s", after, data(got), err, numbered(after+1, 21))
					}
				}
			})
		})
	}
}
