package adaptertest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sidestream/adapters"
)

// A fault makes a source break a promise.
type fault struct {
	name   string
	form   Form
	inject func(tb testing.TB, u *Upstream, l *Log)

	// fails names the checks that have to fail on the fault: first the one
	// whose promise is broken, then those that cannot but notice it as well.
	fails string
}

// A broken upstream is one with a fault.
type broken struct {
	name, fails string
	harness     Harness
	start       func(tb testing.TB, made int) *Upstream
}

func (f fault) broken() broken {
	return broken{f.name, f.fails, logHarness(f.form), func(tb testing.TB, made int) *Upstream {
		tb.Helper()
		l := &Log{Name: fmt.Sprint("log", made), Form: f.form}
		u := upstreamOf(l)
		f.inject(tb, u, l)
		return u
	}}
}

// TestBroken sees every check fail on sources that break its promise, and
// every other check pass on them.
func TestBroken(t *testing.T) {
	caught := make(map[string]bool)
	var all []broken
	for _, f := range slices.Concat(
		deliveryFaults(), overflowFaults(), keyFaults(), emitFaults(), runFaults(),
		positionFaults(), compareFaults(), seekFaults(), lostFaults(), failureFaults(), openFaults(),
	) {
		all = append(all, f.broken())
	}
	all = append(all, receiveFaults()...)
	for _, f := range slices.Concat(replayFaults(), replayStopFaults(), replayLostFaults(), mergeFaults(), growFaults()) {
		all = append(all, f.broken())
	}
	for _, f := range all {
		caught[strings.Fields(f.fails)[0]] = true
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			want := strings.Fields(f.fails)
			got, messages := failures(t, f)
			for _, name := range got {
				if !slices.Contains(want, name) {
					t.Errorf("got %q failed, want it to pass: %s", name, messages[name])
				}
			}
			for _, name := range want {
				if !slices.Contains(got, name) {
					t.Errorf("got %q passed, want it to fail", name)
				}
			}
			t.Logf("%s: %s", want[0], messages[want[0]])
		})
	}
	for _, c := range checks() {
		if !caught[c.name] {
			t.Errorf("got no broken source for %q, want one", c.name)
		}
	}
}

// TestUnbroken sees every check pass, in the conditions of TestBroken, on
// sources that keep their promises, each in its own way.
func TestUnbroken(t *testing.T) {
	nothing := func(testing.TB, *Upstream, *Log) {}
	for _, f := range []fault{
		{"replayable", Replayable, nothing, ""},
		{"stateful", Stateful, nothing, ""},
		{"stateful, in steps", Stateful, inSteps, ""},
		{"positionless", Positionless, nothing, ""},
		{"bucket", Bucket, nothing, ""},
		{"bucket that compacts", Bucket, compacting, ""},
		{"bucket that tells its history", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			u.History = true
			faultyBeginning(u, l, func(events []adapters.Event) []adapters.Event { return events })
		}, ""},
		{"bucket that loses more positions than it must", Bucket, overcautious, ""},
		{"bucket with a single state", Bucket, single, ""},
		{"unwell, and says so all the time", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if err := emit(adapters.Event{Stale: "no quorum"}); err != nil {
						return err
					}
					if e.Live {
						e.Stale = "no quorum"
					}
					return emit(e)
				}
			})
		}, ""},
		{"keyed, with an order for each key", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Keyed = true })
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				swapped := swapAt(20)(after, emit)
				return func(e adapters.Event) error {
					if n, err := number(e); !e.Live && err == nil && n%2 == 1 {
						e.Key = "odd"
					}
					return swapped(e)
				}
			})
		}, ""},
	} {
		unbroken(t, f.broken())
	}
	unbroken(t, broken{"mailbox", "", mailHarness(), func(tb testing.TB, _ int) *Upstream { tb.Helper(); return mailUpstream(tb, nil) }})
	for name, form := range partitionedForms() {
		unbroken(t, partitionFault{name, form, func(testing.TB, *Upstream, *topic) {}, ""}.broken())
	}
}

func unbroken(t *testing.T, b broken) {
	t.Helper()
	_, messages := failures(t, b)
	for check, message := range messages {
		t.Errorf("%s: got %q failed, want it to pass: %s", b.name, check, message)
	}
}

// failures returns the names of the checks that fail on b, and for each the
// first thing it had to say. Each runs in a bubble of its own, so that what
// waits in vain takes no time.
func failures(t *testing.T, b broken) (names []string, messages map[string]string) {
	t.Helper()
	h := b.harness
	messages = make(map[string]string)
	for _, c := range checks() {
		synctest.Test(t, func(t *testing.T) {
			var made int
			h.Start = func(tb testing.TB) *Upstream {
				tb.Helper()
				made++
				return b.start(tb, made)
			}
			if !c.applies(h, h.Start(t)) {
				return
			}
			rec := new(recorder)
			var done sync.WaitGroup
			done.Go(func() { c.try(rec, h, func() *Upstream { return h.Start(t) }) })
			done.Wait()
			if first := rec.first(); first != "" {
				names = append(names, c.name)
				messages[c.name] = first
			}
		})
	}
	return names, messages
}

// A recorder stands in for a test that is expected to fail.
type recorder struct {
	mu       sync.Mutex
	messages []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) first() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.messages) == 0 {
		return ""
	}
	return r.messages[0]
}

type (
	runFunc  func(ctx context.Context, after adapters.Position, emit emitFunc) error
	emitFunc = func(adapters.Event) error
)

// Run makes a function a source.
func (f runFunc) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	return f(ctx, after, emit)
}

// seeking is a source made of functions that can seek.
type seeking struct {
	runFunc
	seekFunc
}

// replaying is one that can replay as well.
type replaying struct {
	seeking
	replayFunc
}

// A faulty factory differs from the one within in what is set.
type faulty struct {
	adapters.Factory
	capabilities adapters.Capabilities
	open         func(vars adapters.Vars, env adapters.Env) (adapters.Source, error)
}

func (f faulty) Capabilities() adapters.Capabilities { return f.capabilities }

func (f faulty) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	return f.open(vars, env)
}

// faultyOpen replaces Open.
func faultyOpen(u *Upstream, open func(next adapters.Factory, vars adapters.Vars) (adapters.Source, error)) {
	next := u.Factory
	u.Factory = faulty{next, next.Capabilities(), func(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
		return open(next, vars)
	}}
}

// faultyCapabilities changes what the factory declares.
func faultyCapabilities(u *Upstream, change func(c *adapters.Capabilities)) {
	c := u.Factory.Capabilities()
	change(&c)
	u.Factory = faulty{u.Factory, c, u.Factory.Open}
}

// faultyRun wraps Run. wrap is called once for each source.
func faultyRun(u *Upstream, wrap func(next runFunc) runFunc) {
	faultySource(u, func(run runFunc, seek seekFunc) adapters.Source {
		if run = wrap(run); seek == nil {
			return run
		}
		return seeking{run, seek}
	})
}

// faultySource replaces sources. replace is given what the source can do; seek
// is nil if it cannot.
func faultySource(u *Upstream, replace func(run runFunc, seek seekFunc) adapters.Source) {
	faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
		src, err := f.Open(vars, adapters.Env{})
		if err != nil {
			return nil, err
		}
		var seek seekFunc
		if s, ok := src.(adapters.Seeker); ok {
			seek = s.Seek
		}
		made := replace(src.Run, seek)
		if r, ok := src.(adapters.Replayer); ok {
			return replaying{made.(seeking), r.Replay}, nil
		}
		return made, nil
	})
}

// faultyEmit wraps emit. wrap is called once for each Run.
func faultyEmit(u *Upstream, wrap func(after adapters.Position, emit emitFunc) emitFunc) {
	faultyRun(u, func(next runFunc) runFunc {
		return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
			return next(ctx, after, wrap(after, emit))
		}
	})
}

// faultyEvent changes events, or loses those for which change is false.
func faultyEvent(u *Upstream, change func(after adapters.Position, e *adapters.Event) bool) {
	faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
		return func(e adapters.Event) error {
			if !change(after, &e) {
				return nil
			}
			return emit(e)
		}
	})
}

// faultyAfter changes the position that Run is given.
func faultyAfter(u *Upstream, change func(adapters.Position) adapters.Position) {
	faultyRun(u, func(next runFunc) runFunc {
		return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
			return next(ctx, change(after), emit)
		}
	})
}

// faultyError changes the error that Run returns.
func faultyError(u *Upstream, change func(ctx context.Context, err error) error) {
	faultyRun(u, func(next runFunc) runFunc {
		return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
			return change(ctx, next(ctx, after, emit))
		}
	})
}

// at reports whether e is number n.
func at(e adapters.Event, n int) bool {
	got, err := number(e)
	return !e.Live && err == nil && got == n
}
