package history

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// TestConformance: kept sources keep the promises of replayable ones, whatever
// is kept, and wherever.
func TestConformance(t *testing.T) {
	servers := map[string]func(tb testing.TB) *testServer{
		"embedded": func(testing.TB) *testServer { return nil },
		"external": func(tb testing.TB) *testServer { tb.Helper(); return startServer(tb) },
	}
	for where, on := range servers {
		for what, start := range map[string]func(tb testing.TB, srv *testServer) *adaptertest.Upstream{
			"plain": pulled(adaptertest.Positionless), "state": pulled(adaptertest.Stateful), "pushed": pushed,
		} {
			t.Run(where+"/"+what, func(t *testing.T) {
				adaptertest.Run(t, adaptertest.Harness{
					Start: func(tb testing.TB) *adaptertest.Upstream {
						tb.Helper()
						return start(tb, on(tb))
					},
				})
			})
		}
	}
}

// pulled returns what makes an upstream of a kept log. A Run of the test's own
// goes on all the while, as for a route whose stream is always open.
func pulled(form adaptertest.Form) func(tb testing.TB, srv *testServer) *adaptertest.Upstream {
	return func(tb testing.TB, srv *testServer) *adaptertest.Upstream {
		tb.Helper()
		log := &adaptertest.Log{Form: form}
		kept := newReplica(tb, srv).keep(log.Factory())
		main := start(tb, open(tb, kept), "")
		main.awaitLive()
		var mu sync.Mutex
		return &adaptertest.Upstream{
			Factory: kept,
			Publish: func(_ context.Context, i int) error {
				mu.Lock()
				defer mu.Unlock()
				log.Append(adapters.Event{Data: []byte(strconv.Itoa(i))})
				main.next("number "+strconv.Itoa(i), func(e adapters.Event) bool { // a state is not replaced before it is kept
					return isEvent(e) && string(e.Data) == strconv.Itoa(i)
				})
				return nil
			},
			Number: func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
		}
	}
}

// pushed makes an upstream of a kept source that events are pushed into.
func pushed(tb testing.TB, srv *testServer) *adaptertest.Upstream {
	tb.Helper()
	kept := newReplica(tb, srv).keep(pushedFactory{})
	into := open(tb, kept).(adapters.Receiver)
	return &adaptertest.Upstream{
		Factory: kept,
		Publish: func(ctx context.Context, i int) error {
			return into.Receive(ctx, []adapters.Event{{Data: []byte(strconv.Itoa(i))}})
		},
		Number: func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
		Event:  func(i int) adapters.Event { return adapters.Event{Data: []byte(strconv.Itoa(i))} },
	}
}

// A pushedFactory is one of sources that events are pushed into, of which only
// the requests would matter.
type pushedFactory struct{}

func (pushedFactory) Capabilities() adapters.Capabilities { return adapters.Capabilities{Ingest: true} }

func (pushedFactory) Open(adapters.Vars, adapters.Env) (adapters.Source, error) {
	return pushedSource{}, nil
}

func (pushedFactory) Ingest() adapters.Ingest { return adapters.Ingest{Path: "/in"} }

func (pushedFactory) ServeIngest(w http.ResponseWriter, r *http.Request, receive adapters.ReceiveFunc) {
	if err := receive(r.Context(), nil, []adapters.Event{{Data: []byte("one")}}); err != nil {
		http.Error(w, "not now", http.StatusServiceUnavailable)
	}
}

type pushedSource struct{}

func (pushedSource) Run(ctx context.Context, _ adapters.Position, _ func(adapters.Event) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func (pushedSource) Receive(context.Context, []adapters.Event) error { return nil }
