package poll

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/jq"
	"sidestream/adapters/poll/pace"
)

// asList makes openTest open a list of objects.
func asList(o *Options) { o.Emit, o.Items.Key = emitAppend, ".id" }

// leave is the key of what cancels a Run, among the values of its context.
type leave struct{}

// TestLeftWaiting: a Run that is cancelled while its request is under way
// leaves the next to others, who send it an interval later.
func TestLeftWaiting(t *testing.T) {
	for name, edit := range map[string]func(*Options){"state": func(*Options) {}, "list": asList} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				polls := starts{epoch: time.Now()}
				s := openTest(script(func(r *http.Request) (*http.Response, error) {
					polls.note()
					if len(polls.list) == 2 {
						<-time.After(2 * time.Second)
						r.Context().Value(leave{}).(context.CancelFunc)()
					}
					return reply(http.StatusOK, "[]"), r.Context().Err()
				}), func(o *Options) {
					o.Every, o.Jitter = evenly(10*time.Second), 0
					edit(o)
				})
				var runs sync.WaitGroup
				for range 2 {
					runs.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
						defer cancel()
						s.Run(context.WithValue(ctx, leave{}, cancel), "", ignore)
					})
					synctest.Wait()
				}
				runs.Wait()
				want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}
				if !slices.Equal(polls.list, want) {
					t.Errorf("got polls at %v, want %v", polls.list, want)
				}
			})
		})
	}
}

// TestOthersOfAHost: a URL that is not answered says nothing of the others of
// its host. A host that can't be connected to is of no use to them either.
func TestOthersOfAHost(t *testing.T) {
	for name, tt := range map[string]struct {
		on   func(*http.Request)
		urls int
		fine bool
	}{
		"not answered":  {reach, 1, true},
		"not connected": {func(*http.Request) {}, 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hosts := new(pace.Hosts)
				var hanging []adapters.Source
				for range tt.urls {
					hanging = append(hanging, openOn(hosts, script(func(r *http.Request) (*http.Response, error) {
						tt.on(r)
						<-r.Context().Done()
						return nil, r.Context().Err()
					}), often))
				}
				for i := range 10 {
					if err := hanging[i%tt.urls].Run(t.Context(), "", ignore); err == nil {
						t.Fatal("got nil, want a failure")
					}
				}
				other := openOn(hosts, script(func(*http.Request) (*http.Response, error) {
					return reply(http.StatusOK, "1"), nil
				}), nil)
				if tt.fine {
					take(t, other, "", 1)
				} else {
					wantReason(t, fail(t, other), errDown.Error())
				}
			})
		})
	}
}

// TestHeldInBudget: requests that the API holds don't keep others from being
// sent, whatever the budget.
func TestHeldInBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := new(pace.Hosts)
		holding := script(func(r *http.Request) (*http.Response, error) {
			return reply(http.StatusNoContent, ""), hold(r, 30*time.Second)
		})
		for range 5 {
			inBackground(t, openOn(hosts, holding, func(o *Options) {
				o.LongPoll, o.Budget.InFlight, o.Timeout = true, 1, adapters.Duration(time.Minute)
			}))
		}
		epoch := time.Now()
		take(t, openOn(hosts, script(func(*http.Request) (*http.Response, error) {
			return reply(http.StatusOK, "1"), nil
		}), nil), "", 1)
		if got := time.Since(epoch); got > 0 {
			t.Errorf("got an answer after %v, want it at once", got)
		}
	})
}

// TestListHeld: while the API holds a request, a Run that resumes gets what is
// known.
func TestListHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := newList(func(r *http.Request) (*http.Response, error) {
			if n++; n > 1 {
				return reply(http.StatusNoContent, ""), hold(r, 30*time.Second)
			}
			return reply(http.StatusOK, "["+numbered(1, 5)+"]"), nil
		}, func(o *Options) { o.LongPoll, o.Timeout = true, adapters.Duration(time.Minute) })
		inBackground(t, s)
		time.Sleep(2 * time.Second)
		for after, want := range map[string]string{"2": numbered(3, 5), "4": numbered(5, 5), "5": ""} {
			if got, err := follow(t, s, place{mark: markOf(after)}.position(), time.Millisecond); data(got) != want {
				t.Errorf("after %s: got %s, %v at once, want %s", after, data(got), err, want)
			}
		}
	})
}

// TestPanic: a Run that panics leaves no turn behind, its own or its host's.
func TestPanic(t *testing.T) {
	for name, edit := range map[string]func(*Options){"state": func(o *Options) { o.Emit, o.Items.Key = emitItems, ".id" }, "list": asList} {
		for _, where := range []string{"request", "expression"} {
			t.Run(name+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					broken := where == "request"
					s := openTest(script(func(*http.Request) (*http.Response, error) {
						if broken {
							panic("broken")
						}
						return reply(http.StatusOK, `[{"id":1}]`), nil
					}), func(o *Options) {
						often(o)
						o.Budget.InFlight = 1
						edit(o)
					})
					code := &pollerOf(s).code
					good := code.each
					if !broken {
						code.each = new(jq.Expression)
					}
					if got := panics(func() { s.Run(t.Context(), "", ignore) }); !got {
						t.Fatal("got no panic, want one")
					}
					broken, code.each = false, good
					err := until(t, s, time.Hour, func(adapters.Event) error { return errEnough })
					if !errors.Is(err, errEnough) {
						t.Errorf("the next Run: got %v, want an event", err)
					}
				})
			})
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// TestListPace: Runs that resume, here or at an older cursor, neither add to
// the polls nor bring them closer together.
func TestListPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		s := newList(func(*http.Request) (*http.Response, error) {
			polls.note()
			return reply(http.StatusOK, "["+numbered(1, 5)+"]"), nil
		}, func(o *Options) {
			o.Every.Max = adapters.Duration(time.Minute)
			o.Items.Remember = 3 // what is older is not new
		})
		inBackground(t, s)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		alone := len(polls.list)
		for range 600 {
			follow(t, s, place{mark: markOf("4")}.position(), time.Second)
		}
		synctest.Wait()
		if got := len(polls.list) - alone; alone > 25 || got > 10 {
			t.Errorf("got %d polls in 10 minutes, then %d, want at most 25, then 10", alone, got)
		}
	})
}

// TestListPaceBehind: nor do the requests of a Run that catches up.
func TestListPaceBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		s := newList(func(r *http.Request) (*http.Response, error) {
			if r.URL.RawQuery == "since=1" {
				return reply(http.StatusOK, `{"items":[`+numbered(2, 5)+`],"next":5}`), nil
			}
			polls.note()
			return reply(http.StatusOK, `{"items":[],"next":5}`), nil
		}, func(o *Options) {
			withCursor(o)
			o.Every.Min, o.Every.Max = adapters.Duration(10*time.Second), adapters.Duration(time.Minute)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 75*time.Second)
		defer cancel()
		var main sync.WaitGroup
		main.Go(func() { s.Run(ctx, "", ignore) })
		synctest.Wait()
		for ctx.Err() == nil {
			got, err := follow(t, s, place{cursor: "1", mark: markOf("1"), all: true}.position(), 700*time.Millisecond)
			if ctx.Err() == nil && data(got) != numbered(2, 5) {
				t.Errorf("got %s, %v, want %s", data(got), err, numbered(2, 5))
			}
		}
		main.Wait()
		want := []time.Duration{0, 15 * time.Second, 37500 * time.Millisecond, 71250 * time.Millisecond}
		if !slices.Equal(polls.list, want) {
			t.Errorf("got polls at %v, want %v", polls.list, want)
		}
	})
}
