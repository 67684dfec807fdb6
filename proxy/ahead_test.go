package proxy

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// A client whose replay has brought it further than the feed is told of nothing
// that lies behind it, a gap included (another replica was ahead).
func TestGapBehindTheClient(t *testing.T) {
	for name, test := range map[string]struct {
		resumed string
		told    bool
	}{
		"behind":       {"3", false},
		"where it is":  {"5", false},
		"ahead":        {"7", true},
		"who knows":    {"", true},
		"of elsewhere": {"x", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Route{Path: "/", Method: http.MethodGet}
			p := &endpoint{Route: r, metrics: newMetrics("").route(r), order: func(a, b string) (int, bool) {
				m, err := strconv.Atoi(a)
				n, again := strconv.Atoi(b)
				return cmp.Compare(m, n), err == nil && again == nil
			}}
			answer := httptest.NewRecorder()
			c := &client{
				seat:   &seat{stream: &stream{endpoint: p}},
				out:    newSink(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), time.Second),
				beyond: "5",
			}
			c.write([]feed.Entry{{Gap: &feed.Gap{Reason: adapters.LostUnknown, Resumed: test.resumed}}})
			if told := strings.Contains(answer.Body.String(), "stream.gap"); told != test.told {
				t.Errorf("got a gap: %v, want %v", told, test.told)
			}
		})
	}
}

// Where what is received is kept whether the source runs or not, it has to wait
// for the run that is to deliver it to those who are connected already.
func TestReceiveWaitsForTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			can  adapters.Capabilities
			want bool // that it waits
		}{{adapters.Capabilities{}, false}, {adapters.Capabilities{Replayable: true}, true}} {
			into := &receiverOf{}
			s := &stream{source: into, over: t.Context(), can: test.can, heard: make(chan struct{})}
			done := make(chan error, 1)
			go func() { done <- s.receive(t.Context(), nil) }()
			synctest.Wait()
			if waits := into.calls == 0; waits != test.want {
				t.Errorf("replayable: %v; it waits: %v, want %v", test.can.Replayable, waits, test.want)
			}
			close(s.heard)
			if err := <-done; err != nil || into.calls != 1 {
				t.Errorf("got error %v and %d calls, want none and 1", err, into.calls)
			}
		}
	})
}

type receiverOf struct {
	adapters.Source
	calls int
}

func (r *receiverOf) Receive(context.Context, []adapters.Event) error {
	r.calls++
	return nil
}
