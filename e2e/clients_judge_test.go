package e2e

import (
	"strings"
	"testing"
	"time"
)

// A follower is a client on one stream, behind a network of its own.
type follower struct {
	*realClient
	*recorder
	stream  string
	network *cutter
}

// events returns the events that the client has heard of the stream.
func (f *follower) events() (events []heard) {
	for _, h := range f.of(f.stream) {
		switch h.Kind {
		case "open", "error", "closed":
		default:
			events = append(events, h)
		}
	}
	return events
}

// data returns the data of its events of one type.
func (f *follower) data(kind string) (data []string) {
	for _, h := range f.events() {
		if h.Kind == kind {
			data = append(data, h.Data)
		}
	}
	return data
}

// closed reports whether the client has said that it won't ask again.
func (f *follower) closed() bool {
	for _, h := range f.of(f.stream) {
		if h.Kind == "closed" {
			return true
		}
	}
	return false
}

// requests returns its requests for the stream.
func (f *follower) requests() []sent {
	return f.network.requestsFor("GET /"+f.stream, time.Time{})
}

// A verdict is one that has been passed on all clients.
type verdict struct {
	stream  string
	of      behaviour
	outcome func(*follower) string
}

// judge compares what each client does with what the table says of it, and
// waits for it if need be, first for those of which it says that they do as
// they should. outcome says in what other way a client does, or "".
func (r *rehearsal) judge(t *testing.T, stream string, b behaviour, outcome func(*follower) string) {
	t.Helper()
	r.verdicts = append(r.verdicts, verdict{stream, b, outcome})
	var conforming, deviating []*follower
	for _, f := range r.followers[stream] {
		if _, ok := f.deviation(b); ok {
			deviating = append(deviating, f)
		} else {
			conforming = append(conforming, f)
		}
	}
	for _, followers := range [][]*follower{conforming, deviating} {
		waited(rehearsalPatience, func() bool {
			for _, f := range followers {
				if !f.asExpected(b, outcome(f)) {
					return false
				}
			}
			return true
		})
		for _, f := range followers {
			f.report(t, b, outcome(f))
		}
	}
}

// again passes all verdicts once more: nobody has heard anything since that
// changes one.
func (r *rehearsal) again(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return // the same would be said again
	}
	for _, v := range r.verdicts {
		for _, f := range r.followers[v.stream] {
			f.report(t, v.of, v.outcome(f))
		}
	}
}

// asExpected reports whether the table says this of the client.
func (f *follower) asExpected(b behaviour, outcome string) bool {
	d, deviates := f.deviation(b)
	return outcome == d.outcome || deviates && d.sometimes && outcome == ""
}

func (f *follower) report(t *testing.T, b behaviour, outcome string) {
	t.Helper()
	if f.asExpected(b, outcome) {
		return
	}
	d, _ := f.deviation(b)
	t.Errorf("%s, %s: got %q, want %q, as the table in clients_table_test.go says", f.name, b, outcome, d.outcome)
	if err := f.failure(); err != nil {
		t.Errorf("%s: %v", f.name, err)
	}
}

// await waits until ok holds for all clients.
func (r *rehearsal) await(t *testing.T, stream, what string, ok func(*follower) bool) {
	t.Helper()
	awaitFollowers(t, r.followers[stream], what, ok)
}

// conforming waits until ok holds for the clients that show a behaviour.
func (r *rehearsal) conforming(t *testing.T, stream string, b behaviour, what string, ok func(*follower) bool) {
	t.Helper()
	var followers []*follower
	for _, f := range r.followers[stream] {
		if _, deviates := f.deviation(b); !deviates {
			followers = append(followers, f)
		}
	}
	awaitFollowers(t, followers, what, ok)
}

func awaitFollowers(t *testing.T, followers []*follower, what string, ok func(*follower) bool) {
	t.Helper()
	var missing []string
	if waited(rehearsalPatience, func() bool {
		missing = nil
		for _, f := range followers {
			if !ok(f) {
				missing = append(missing, f.name)
			}
		}
		return len(missing) == 0
	}) {
		return
	}
	for _, f := range followers {
		if err := f.failure(); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	t.Fatalf("after %v: got %s without, want %s heard by all", rehearsalPatience, strings.Join(missing, ", "), what)
}

// waited returns true as soon as ok does, and false if that takes too long.
func waited(most time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(most); ; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
