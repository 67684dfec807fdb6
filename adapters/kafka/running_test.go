package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

// waiting bounds how long a test waits for what is to happen.
const waiting = 20 * time.Second

// A running is a Run or a Replay that is under way.
type running struct {
	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{} // closed when it has returned
	err    error         // of it, then

	mu     sync.Mutex
	events []adapters.Event    // guarded by mu; without Live notices
	lives  []adapters.Position // guarded by mu; of Live notices
	behind int                 // guarded by mu; events before the last of them
	news   chan struct{}       // holds a value if there is something new
}

// run starts a Run of a source. It ends with the test at the latest.
func run(t testing.TB, s adapters.Source, after adapters.Position) *running {
	t.Helper()
	return runWith(t, s, after, nil)
}

// runWith is run with something to do for each event, whose error is emit's.
func runWith(t testing.TB, s adapters.Source, after adapters.Position, do func(adapters.Event) error) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, cancel: cancel, done: make(chan struct{}), news: make(chan struct{}, 1)}
	go func() {
		defer close(r.done)
		r.err = s.Run(ctx, after, func(e adapters.Event) error { return r.emit(e, do) })
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
	})
	return r
}

func (r *running) emit(e adapters.Event, do func(adapters.Event) error) error {
	if do != nil {
		if err := do(e); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Live {
		r.lives, r.behind = append(r.lives, e.Position), len(r.events)
	} else {
		r.events = append(r.events, e)
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
	return nil
}

// seen returns what was emitted so far, without Live notices.
func (r *running) seen() []adapters.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// live returns the positions of the Live notices so far.
func (r *running) live() []adapters.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lives)
}

// values returns the payloads of what was emitted so far.
func (r *running) values() []string { return payloads(r.seen()) }

// wait waits until enough says so of what was emitted.
func (r *running) wait(what string, enough func() bool) {
	r.t.Helper()
	deadline := time.After(waiting)
	for !enough() {
		select {
		case <-r.news:
		case <-r.done:
			if !enough() {
				r.t.Fatalf("got a Run that returned %v after %d events, want %s", r.err, len(r.seen()), what)
			}
		case <-deadline:
			r.t.Fatalf("got %v and %d Live notices in %v, want %s", r.values(), len(r.live()), waiting, what)
		}
	}
}

// waitValues waits until as many events have come as are wanted, and complains
// if they aren't those, in any order of partitions: the values of each must be
// in theirs, and their first letters name the partitions.
func (r *running) waitValues(want ...string) {
	r.t.Helper()
	r.wait(strings.Join(want, " "), func() bool { return len(r.seen()) >= len(want) })
	checkValues(r.t, r.seen(), want...)
}

// waitLive waits for a Live notice behind all events that were emitted so far,
// unless there is one, and returns its position.
func (r *running) waitLive() adapters.Position {
	r.t.Helper()
	isLive := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.lives) > 0 && r.behind == len(r.events)
	}
	r.wait("a Live notice", isLive)
	l := r.live()
	return l[len(l)-1]
}

// waitNextLive waits for one more Live notice.
func (r *running) waitNextLive() adapters.Position {
	r.t.Helper()
	n := len(r.live())
	r.wait("another Live notice", func() bool { return len(r.live()) > n })
	return r.live()[n]
}

// ended waits until the Run has returned by itself, and returns its error.
func (r *running) ended() error {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(waiting):
		r.t.Fatalf("got a Run that goes on after %v with %v, want it to return", waiting, r.values())
	}
	return r.err
}

// stop ends the Run, which must have no other reason to return.
func (r *running) stop() []adapters.Event {
	r.t.Helper()
	r.cancel()
	<-r.done
	if !errors.Is(r.err, context.Canceled) {
		r.t.Errorf("got %v of a Run that was cancelled, want %v", r.err, context.Canceled)
	}
	return r.seen()
}

// lost waits until the Run has ended with a lost position, and returns that.
func (r *running) lost() *adapters.PositionLostError {
	r.t.Helper()
	err := r.ended()
	var lost *adapters.PositionLostError
	if !errors.As(err, &lost) {
		r.t.Fatalf("got %v after %v, want a lost position", err, r.values())
	}
	return lost
}

func payloads(events []adapters.Event) []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = string(e.Data)
		if e.Gap != nil {
			all[i] = "gap:" + string(e.Gap.Reason)
		}
	}
	return all
}

// checkValues compares payloads whose first letters name the partitions.
func checkValues(t testing.TB, events []adapters.Event, want ...string) {
	t.Helper()
	byPartition := func(values []string) []string {
		values = slices.Clone(values)
		slices.SortStableFunc(values, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
		return values
	}
	if got, want := byPartition(payloads(events)), byPartition(want); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// open opens the source of a factory without variables.
func open(t testing.TB, f *factory) *source {
	t.Helper()
	s, err := f.Open(nil, adapters.Env{Meta: true})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*source)
}

// source returns a source of the topic that begins with its first record, unless
// change says otherwise.
func (f *fake) source(t testing.TB, change func(*Options)) *source {
	t.Helper()
	return open(t, f.factory(t, adapters.Route{}, func(o *Options) {
		o.Start = Start{word: startEarliest}
		if change != nil {
			change(o)
		}
	}))
}

// put writes records, each as it is, one after the other.
func (f *fake) put(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	for _, r := range records {
		eventually(t, "a record that is written", func() bool {
			err := f.client.ProduceSync(t.Context(), r).FirstErr()
			if err != nil && !strings.Contains(err.Error(), "invalid record partitioning choice") {
				t.Fatal(err)
			}
			if err != nil { // it doesn't know of the partition yet
				f.client.ForceMetadataRefresh()
			}
			return err == nil
		})
	}
}

// recreate deletes a topic and creates it anew.
func (f *fake) recreate(t testing.TB, topic string, partitions int32) {
	t.Helper()
	f.remove(t, topic)
	f.create(t, topic, partitions)
}

func (f *fake) remove(t testing.TB, topic string) {
	t.Helper()
	if err := f.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	f.client.PurgeTopicsFromClient(topic)
}

func (f *fake) create(t testing.TB, topic string, partitions int32) {
	t.Helper()
	if err := f.CreateTopic(topic, partitions, nil); err != nil {
		t.Fatal(err)
	}
}

// grow adds partitions to a topic, up to that many.
func (f *fake) grow(t testing.TB, topic string, partitions int) {
	t.Helper()
	if _, err := f.admin.UpdatePartitions(t.Context(), partitions, topic); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds that nobody tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waiting); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got nothing of it in %v, want %s", waiting, what)
		}
	}
}

// asLost returns the lost position that err is, or nil.
func asLost(err error) *adapters.PositionLostError {
	var lost *adapters.PositionLostError
	errors.As(err, &lost)
	return lost
}
