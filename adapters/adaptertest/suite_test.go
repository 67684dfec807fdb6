package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLog is the suite on the reference: it must pass in each form.
func TestLog(t *testing.T) {
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) { Run(t, logHarness(form)) })
	}
	t.Run("in steps", func(t *testing.T) {
		h := logHarness(Stateful)
		start := h.Start
		h.Start = func(tb testing.TB) *Upstream {
			tb.Helper()
			u := start(tb)
			inSteps(tb, u, u.Factory.(logFactory).log)
			return u
		}
		Run(t, h)
	})
}

// inSteps makes u publish each number but the first as a change in steps.
func inSteps(_ testing.TB, u *Upstream, l *Log) {
	faultyCapabilities(u, func(c *adapters.Capabilities) { c.Compare = stepCompare(l.compare) })
	whole := u.Publish
	u.Publish = func(ctx context.Context, i int) error {
		if i == 1 {
			return whole(ctx, i)
		}
		state := fmt.Append(nil, i)
		l.AppendSteps(
			adapters.Event{Type: "change", Data: []byte("first")},
			adapters.Event{Type: "change", Data: []byte("second"), Position: "step/" + l.position(i)},
			adapters.Event{Type: "change", Data: []byte("last"), State: &adapters.State{Data: state}})
		return nil
	}
}

// stepCompare adds to compare the positions that inSteps gives to steps: that
// of one of number i is right before number i's.
func stepCompare(compare func(a, b adapters.Position) (int, bool)) func(a, b adapters.Position) (int, bool) {
	return func(a, b adapters.Position) (int, bool) {
		m, isStep1 := strings.CutPrefix(string(a), "step/")
		n, isStep2 := strings.CutPrefix(string(b), "step/")
		order, ok := compare(adapters.Position(m), adapters.Position(n))
		switch {
		case order != 0 || isStep1 == isStep2:
			return order, ok
		case isStep1:
			return -1, ok
		default:
			return 1, ok
		}
	}
}

// TestSelfMade is the suite on a source that makes its events by itself.
func TestSelfMade(t *testing.T) {
	Run(t, Harness{Start: func(testing.TB) *Upstream {
		return &Upstream{Factory: counters{}, Number: number}
	}})
}

func forms() map[string]Form {
	return map[string]Form{
		"replayable": Replayable, "stateful": Stateful, "positionless": Positionless, "bucket": Bucket,
	}
}

const address = "10.1.2.3:4222"

func logHarness(form Form) Harness {
	var logs int // started so far, so that each has a name of its own
	return Harness{
		Start: func(testing.TB) *Upstream {
			logs++
			return upstreamOf(&Log{Name: fmt.Sprint("log", logs), Form: form})
		},
		Segments: []string{"user"},
		Tokens:   []string{"user"},
		Hostile:  []adapters.Vars{{"user": "a/b/c"}},
	}
}

// upstreamOf returns an upstream with all that a log can do.
func upstreamOf(log *Log) *Upstream {
	u := &Upstream{
		Factory: log.Factory(),
		Vars:    adapters.Vars{"user": "ann"},
		Publish: func(_ context.Context, i int) error {
			log.Append(event(log, i))
			return nil
		},
		Number: number,
		Fail: func(context.Context) error {
			log.Fail(adapters.Transient("upstream refused", errors.New("dial "+address)))
			return nil
		},
		Recover: func(context.Context) error { log.Recover(); return nil },
		Stall:   func(context.Context) error { log.Stall(); return nil },
		Break: func(context.Context) error {
			log.Fail(adapters.Permanent("not allowed", errors.New("login at "+address)))
			return nil
		},
		Private: []string{address, "10.1.2.3"},
		End:     func(context.Context) error { log.End(); return nil },
	}
	if log.replays() {
		var expired int
		u.Expire = func(_ context.Context, n int) error {
			log.Expire(n - expired)
			expired = n
			return nil
		}
		u.Recreate = func(context.Context) error { log.Recreate(); return nil }
	}
	if log.Form == Bucket {
		u.Key = key
		u.Delete = func(_ context.Context, i int) error { log.Delete(key(i)); return nil }
	}
	if !log.hasState() {
		u.Overflow = func(_ context.Context, first int) (int, error) {
			log.Append(event(log, first))
			log.Drop(2) // two losses that a reader finds as one
			log.Drop(1)
			log.Append(event(log, first+4), event(log, first+5))
			log.Drop(2)
			return first + 7, nil
		}
	}
	return u
}

// event returns what number i is published to log as.
func event(log *Log, i int) adapters.Event {
	e := adapters.Event{
		Data:    []byte(strconv.Itoa(i)),
		Time:    time.Date(2026, time.January, 2, 3, 4, i, 0, time.UTC),
		Headers: map[string][]string{"Number": {strconv.Itoa(i)}},
		Meta:    map[string]any{"number": i},
	}
	if log.Form == Bucket {
		e.Key = key(i)
	}
	return e
}

// key returns the key that number i is published to.
func key(i int) string { return fmt.Sprint("key", i%3) }

// number reads the number that an event's data, or its state's, consist of.
func number(e adapters.Event) (int, error) {
	if e.State != nil {
		return strconv.Atoi(string(e.State.Data))
	}
	return strconv.Atoi(string(e.Data))
}

// counters is a factory of sources that count.
type counters struct{}

func (counters) Capabilities() adapters.Capabilities { return adapters.Capabilities{} }

func (counters) Open(adapters.Vars, adapters.Env) (adapters.Source, error) { return new(counter), nil }

type counter struct{ n int }

func (c *counter) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	if after != "" {
		return &adapters.PositionLostError{Reason: adapters.LostUnknown, Lost: -1}
	}
	e := adapters.Event{Live: true}
	for ctx.Err() == nil {
		if err := emit(e); err != nil {
			return err
		}
		if !e.Live {
			c.n++
		}
		e = adapters.Event{Data: fmt.Append(nil, c.n+1)}
	}
	return ctx.Err()
}
