package lease

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// TestHold: one of several runs, the others see who and what it tells, and what
// it has told last when it is gone.
func TestHold(t *testing.T) {
	s := start(t)
	var j journal
	one := contend(t, open(t, s.ClientURL(), func(o *Options) { o.Holder = "one" }), &j, "one")
	await(t, "the first to hold it", one.mine)
	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })
	if got, want := two.condition(), (Condition{Held: true, Holder: "one", Term: one.held.Term()}); got != want {
		t.Errorf("the other's condition: got %+v, want %+v", got, want)
	}

	one.tell("stale: upstream answered 503")
	await(t, "the state to be seen", func() bool { return two.condition().State == "stale: upstream answered 503" })
	await(t, "oneself to see it", func() bool {
		c := one.condition()
		return c.Mine && c.State == "stale: upstream answered 503"
	})

	// What is told in a hurry: nothing but the last has to be seen.
	for range 1000 {
		one.tell("a")
		one.tell("b")
	}
	one.tell("the end")
	two.leave()
	if err := two.result(t); !errors.Is(err, context.Canceled) {
		t.Errorf("Contend: got %v, want %v", err, context.Canceled)
	}
	three := contend(t, open(t, s.ClientURL()), &j, "three")
	await(t, "the third to see who holds it", func() bool { return three.condition().Held })
	one.leave()
	await(t, "the third to hold it", three.mine)
	if err := one.result(t); !errors.Is(err, context.Canceled) {
		t.Errorf("Contend: got %v, want %v", err, context.Canceled)
	}
	three.mu.Lock()
	seen := three.told
	three.mu.Unlock()
	var last string
	for _, c := range seen {
		if c.Term == one.held.Term() {
			last = c.State
		}
	}
	if last != "the end" {
		t.Errorf("the last that was seen of the first holder: got %q, want %q; all: %+v", last, "the end", seen)
	}
	if c := one.condition(); c.Mine {
		t.Errorf("one's own condition after the end: got %+v, want that it isn't one's own", c)
	}
	j.check(t, 0)
}

// TestTellBounds: what is told is bounded, and text.
func TestTellBounds(t *testing.T) {
	b := open(t, start(t).ClientURL())
	var j journal
	r := contend(t, b, &j, "one")
	await(t, "the lease", r.mine)
	r.tell(strings.Repeat("ä", MaxState))
	want := strings.Repeat("ä", MaxState/2)
	await(t, "the state", func() bool { return r.condition().State == want })
	r.tell("x\xff" + strings.Repeat("y", MaxState))
	want = "x" + strings.Repeat("y", MaxState-2)
	await(t, "the state", func() bool { return r.condition().State == want })
}

// TestHandover: a lease that is given up has another holder within
// milliseconds.
func TestHandover(t *testing.T) {
	s := start(t)
	var j journal
	replicas := make(map[string]*replica)
	for _, name := range []string{"one", "two", "three"} {
		replicas[name] = contend(t, open(t, s.ClientURL()), &j, name)
	}
	const rounds = 20
	for round := range rounds {
		await(t, "a holder", func() bool { return len(j.running()) == 1 && len(j.all()) == round+1 })
		now := j.running()[0]
		old := replicas[now.who]
		old.leave()
		_ = old.result(t)
		replicas[now.who] = contend(t, old.bucket, &j, now.who)
	}
	await(t, "a holder", func() bool { return len(j.all()) == rounds+1 })
	j.check(t, 0)
	list := j.all()
	var longest, total time.Duration
	for i := 1; i < len(list); i++ {
		gap := list[i].begin.Sub(list[i-1].end)
		longest, total = max(longest, gap), total+gap
	}
	t.Logf("handover: on average %v, at most %v", total/rounds, longest)
	if longest > 100*time.Millisecond {
		t.Errorf("handover: got %v, want at most 100ms", longest)
	}
}

// TestReturned: what run returns while the lease is held ends Contend, after
// the lease was given up.
func TestReturned(t *testing.T) {
	s := start(t)
	var j journal
	b := open(t, s.ClientURL())
	want := errors.New("the upstream is gone")
	err := b.Contend(t.Context(), "source", func(_ context.Context, h *Held) error {
		if h.Lost() {
			t.Error("Lost: got true, want false")
		}
		h.Tell("last words")
		return want
	}, nil)
	if !errors.Is(err, want) {
		t.Fatalf("Contend: got %v, want %v", err, want)
	}
	e, err := b.read(t.Context(), keyOf("source"))
	if err != nil || !e.free() || e.State != "last words" {
		t.Fatalf("the entry: got %+v, %v, want one that is free, with what was told", e, err)
	}
	begin := time.Now()
	other := contend(t, open(t, s.ClientURL()), &j, "other")
	await(t, "the other to hold it", other.mine)
	if took := time.Since(begin); took > slack {
		t.Errorf("it took the other %v, want at most %v", took, slack)
	}
}

// TestOneProcess: two contenders for one name in one process are different
// ones; others names are other leases.
func TestOneProcess(t *testing.T) {
	b := open(t, start(t).ClientURL())
	var j journal
	one := contend(t, b, &j, "one")
	await(t, "the first to hold it", one.mine)
	two := contend(t, b, &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })

	ran := false
	err := b.Contend(t.Context(), "another source", func(context.Context, *Held) error { ran = true; return nil }, nil)
	if err != nil || !ran {
		t.Errorf("another lease: got %v, ran: %v, want that it is free", err, ran)
	}
	if two.mine() {
		t.Error("the second holds it beside the first")
	}
	one.leave()
	await(t, "the second to hold it", two.mine)
	j.check(t, 0)
}

// TestCrash: a holder that says nothing any more is followed by another one
// when its last word is a TTL old.
func TestCrash(t *testing.T) {
	t.Parallel()
	s := start(t)
	var j journal
	one := contend(t, open(t, s.ClientURL()), &j, "one")
	await(t, "the first to hold it", one.mine)
	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })
	one.tell("last words") // of which the time is known
	await(t, "the second to see that", func() bool { return two.condition().State == "last words" })
	last := time.Now()
	one.bucket.conn.Close()
	err := one.result(t)
	if adapters.IsPermanent(err) || adapters.Reason(err) != reasonLost {
		t.Errorf("Contend: got %v, want a transient error with the reason %q", err, reasonLost)
	}
	if took := time.Since(last); took > slack {
		t.Errorf("it returned after %v, want at once", took)
	}
	await(t, "the second to hold it", two.mine)
	after := j.running()[0].begin.Sub(last)
	t.Logf("taken over %v after the last word, with a TTL of %v", after, ttl)
	if after < ttl-bit/10 || after > ttl+slack {
		t.Errorf("taken over: got %v after the last word, want from %v to %v", after, ttl, ttl+slack)
	}
	j.check(t, 0)
}

// TestReturnAfterLoss: the process whose connection was lost takes back at once
// what it had held.
func TestReturnAfterLoss(t *testing.T) {
	t.Parallel()
	s := start(t)
	var j journal
	mine := func(o *Options) { o.Holder, o.TTL = "one", maxTTL }
	one := contend(t, open(t, s.ClientURL(), mine), &j, "one")
	await(t, "the lease", one.mine)
	one.bucket.conn.Close()
	_ = one.result(t)
	one.bucket.Close()
	again := contend(t, open(t, s.ClientURL(), mine), &j, "one again")
	await(t, "the lease", again.mine)
	j.check(t, 0)
}

// TestTTLs: a replica with a short TTL grants one with a long one its own.
func TestTTLs(t *testing.T) {
	t.Parallel()
	s := start(t)
	var j journal
	long := contend(t, open(t, s.ClientURL(), func(o *Options) { o.TTL = 3 * ttl }), &j, "long")
	await(t, "the lease", long.mine)
	short := contend(t, open(t, s.ClientURL()), &j, "short")
	await(t, "it to be seen", func() bool { return short.condition().Held })
	last := time.Now()
	long.bucket.conn.Close()
	_ = long.result(t)
	await(t, "the other to hold it", short.mine)
	if after := time.Since(last); after < 2*ttl-bit/10 { // a renewal is at most a third old
		t.Errorf("taken over after %v, want at least %v", after, 2*ttl)
	}
}

// TestCutOff: a holder that hears nothing any more ends before another one
// begins.
func TestCutOff(t *testing.T) {
	t.Parallel()
	s := start(t)
	w := proxyTo(t, s.addr())
	var j journal
	one := contend(t, open(t, w.url()), &j, "one")
	await(t, "the first to hold it", one.mine)
	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })
	w.stall()
	cut := time.Now()
	await(t, "the first to end", func() bool { return len(j.running()) == 0 })
	if took, most := time.Since(cut), 2*ttl/3+bit/2; took > most {
		t.Errorf("the first ended after %v, want at most %v", took, most)
	}
	await(t, "it to say so", func() bool { return !one.mine() })
	await(t, "the second to hold it", two.mine)
	if took := time.Since(cut); took > ttl+slack {
		t.Errorf("the second held it after %v, want at most %v", took, ttl+slack)
	}
	w.heal() // closes what was stalled
	if err := one.result(t); adapters.IsPermanent(err) || adapters.Reason(err) != reasonLost {
		t.Errorf("Contend: got %v, want a transient error with the reason %q", err, reasonLost)
	}
	j.check(t, 0)
}

// TestSilence: a server that doesn't answer for three TTLs is an error, also
// for one who holds nothing.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := start(t)
	w := proxyTo(t, s.addr())
	var j journal
	one := contend(t, open(t, w.url()), &j, "one")
	await(t, "the lease", one.mine)
	w.stall()
	begin := time.Now()
	err := one.result(t)
	if adapters.IsPermanent(err) || adapters.Reason(err) != reasonSilent {
		t.Errorf("Contend: got %v, want a transient error with the reason %q", err, reasonSilent)
	}
	if took := time.Since(begin); took < 3*ttl || took > 6*ttl {
		t.Errorf("it returned after %v, want about %v", took, 3*ttl)
	}
}

// TestPurged: when all entries are removed by other hands, there is one holder
// again, soon, and no longer two than it takes the old one to see it.
func TestPurged(t *testing.T) {
	t.Parallel()
	s := start(t)
	js := connect(t, s.ClientURL())
	var j journal
	one := contend(t, open(t, s.ClientURL()), &j, "one")
	await(t, "the first to hold it", one.mine)
	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })
	third := open(t, s.ClientURL())
	stream, err := js.Stream(t.Context(), streamOf(bucketName))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	contend(t, third, &j, "three") // finds nothing there, unless the first was quicker
	await(t, "another term, and one holder", func() bool { return len(j.all()) > 1 && len(j.running()) == 1 })
	j.check(t, bit)

	// One entry, with a marker.
	kv, err := js.KeyValue(t.Context(), bucketName)
	if err != nil {
		t.Fatal(err)
	}
	before := len(j.all())
	if err := kv.Delete(t.Context(), keyOf("source")); err != nil {
		t.Fatal(err)
	}
	await(t, "another term", func() bool { return len(j.all()) > before && len(j.running()) == 1 })
	j.check(t, bit)
}

// TestStrange: an entry that says nothing is taken over after a TTL.
func TestStrange(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.ClientURL())
	if _, err := b.kv.PutString(t.Context(), keyOf("source"), "]"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	var j journal
	r := contend(t, b, &j, "one")
	await(t, "the lease", r.mine)
	if took := time.Since(begin); took < ttl {
		t.Errorf("taken after %v, want at least %v", took, ttl)
	}
}

// TestBucketDeleted: it ends all at once, and can be opened again.
func TestBucketDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	js := connect(t, s.ClientURL())
	var j journal
	one := contend(t, open(t, s.ClientURL()), &j, "one")
	await(t, "the lease", one.mine)
	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "it to be seen", func() bool { return two.condition().Held })
	begin := time.Now()
	if err := js.DeleteKeyValue(t.Context(), bucketName); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*replica{one, two} {
		if err := r.result(t); adapters.IsPermanent(err) || adapters.Reason(err) != reasonGone {
			t.Errorf("Contend: got %v, want a transient error with the reason %q", err, reasonGone)
		}
		if c := r.condition(); c.Held {
			t.Errorf("the last condition: got %+v, want that it isn't held", c)
		}
	}
	if took := time.Since(begin); took > slack {
		t.Errorf("it took %v, want at most %v", took, slack)
	}
	if err := one.bucket.Contend(t.Context(), "source", one.run, nil); adapters.Reason(err) != reasonGone {
		t.Errorf("Contend: got %v, want the reason %q", err, reasonGone)
	}
	if n := len(j.running()); n != 0 {
		t.Errorf("still running: got %d, want none", n)
	}
	var again journal // terms begin anew with the bucket
	r := contend(t, open(t, s.ClientURL()), &again, "again")
	await(t, "the lease", r.mine)
}

// TestBucketRecreated: another bucket by the same name isn't the one that was.
func TestBucketRecreated(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.ClientURL())
	if err := b.js.DeleteKeyValue(t.Context(), bucketName); err != nil {
		t.Fatal(err)
	}
	if _, err := bind(t.Context(), b.js, &b.options); err != nil {
		t.Fatal(err)
	}
	if _, err := b.watch(t.Context()); !errors.Is(err, errAnew) {
		t.Errorf("watch: got %v, want %v", err, errAnew)
	}
}

// TestBucketForgets: sequences that begin again are those of another bucket,
// too: one in memory, of which the servers were restarted.
func TestBucketForgets(t *testing.T) {
	t.Parallel()
	s := start(t)
	var j journal
	r := contend(t, open(t, s.ClientURL()), &j, "one")
	await(t, "the lease", r.mine)
	b := r.bucket
	b.know(1 << 40)
	consumers := b.stream.ConsumerNames(t.Context())
	for name := range consumers.Name() { // so that it looks again
		if err := b.stream.DeleteConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.result(t); adapters.IsPermanent(err) || adapters.Reason(err) != reasonAnew {
		t.Errorf("Contend: got %v, want a transient error with the reason %q", err, reasonAnew)
	}
}

// TestWatcherAgain: a watcher whose consumer is gone is made again, and nobody
// has to stop for that.
func TestWatcherAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	var j journal
	one := contend(t, open(t, s.ClientURL()), &j, "one")
	await(t, "the first to hold it", one.mine)
	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })
	b := one.bucket
	names := b.stream.ConsumerNames(t.Context())
	for name := range names.Name() {
		if err := b.stream.DeleteConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	one.tell("still here")
	await(t, "the second to see it", func() bool { return two.condition().State == "still here" })
	one.leave()
	await(t, "the second to hold it", two.mine)
	if n := len(j.all()); n != 2 {
		t.Errorf("terms: got %d, want 2", n)
	}
	j.check(t, 0)
}

// TestConsumersGone: a bucket that is closed leaves nothing on the server.
func TestConsumersGone(t *testing.T) {
	s := start(t)
	b := open(t, s.ClientURL())
	b.Close()
	b.Close() // does nothing more
	info, err := b.stream.Info(t.Context())
	if err != nil || info.State.Consumers != 0 {
		t.Errorf("consumers: got %d, %v, want none", info.State.Consumers, err)
	}
	err = b.Contend(t.Context(), "source", nil, nil)
	if adapters.IsPermanent(err) || adapters.Reason(err) != reasonClosed {
		t.Errorf("Contend: got %v, want a transient error with the reason %q", err, reasonClosed)
	}
}

// TestOpenRace: several replicas may create the bucket at once.
func TestOpenRace(t *testing.T) {
	s := start(t)
	var wg sync.WaitGroup
	for range 8 {
		js := connect(t, s.ClientURL())
		wg.Go(func() {
			b, err := Open(t.Context(), js, Options{Bucket: bucketName})
			if err != nil {
				t.Errorf("Open: got %v, want no error", err)
				return
			}
			b.Close()
		})
	}
	wg.Wait()
}

// TestOpenRefused: what is set up wrongly is said.
func TestOpenRefused(t *testing.T) {
	s := start(t)
	js := connect(t, s.ClientURL())
	for _, ttl := range []time.Duration{-1, minTTL - 1, maxTTL + 1} {
		if _, err := Open(t.Context(), js, Options{Bucket: bucketName, TTL: ttl}); !adapters.IsPermanent(err) {
			t.Errorf("TTL %v: got %v, want a permanent error", ttl, err)
		}
	}
	if _, err := Open(t.Context(), js, Options{Bucket: "a bucket"}); !errors.Is(err, jetstream.ErrInvalidBucketName) {
		t.Errorf("a bad name: got %v, want %v", err, jetstream.ErrInvalidBucketName)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "short", TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), js, Options{Bucket: "short"}); !adapters.IsPermanent(err) || adapters.Reason(err) != reasonShort {
		t.Errorf("a bucket that forgets: got %v, want a permanent error", err)
	}
	js.Conn().Close()
	if _, err := Open(t.Context(), js, Options{Bucket: bucketName}); err == nil {
		t.Error("a closed connection: got no error, want one")
	}
}

// TestSlowEnd: the lease is kept while what ran under it winds up.
func TestSlowEnd(t *testing.T) {
	t.Parallel()
	s := start(t)
	var j journal
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	running := make(chan struct{})
	b := open(t, s.ClientURL())
	done := make(chan error, 1)
	go func() {
		done <- b.Contend(ctx, "source", func(ctx context.Context, h *Held) error {
			defer j.enter("slow", h)()
			close(running)
			<-ctx.Done()
			<-time.After(2 * ttl)
			if h.Lost() {
				t.Error("Lost: got true, want false")
			}
			return nil
		}, nil)
	}()
	<-running
	two := contend(t, open(t, s.ClientURL()), &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })
	cancel()
	await(t, "the second to hold it", two.mine)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Contend: got %v, want %v", err, context.Canceled)
	}
	j.check(t, 0)
}
